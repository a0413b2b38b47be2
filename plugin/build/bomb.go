package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFile is the largest file that is read, in bytes: ten times the largest
	// object that etcd takes, for bundles of CRDs.
	maxFile = 16 << 20
	// maxNodes is how many YAML nodes one file may unfold into. kustomize replaces
	// every alias by a copy; a bundle of CRDs has some 100,000 nodes and no alias.
	maxNodes = 1_000_000
)

// checkAliases refuses a file whose aliases unfold into far more than the file:
// a few lines of nested aliases make gigabytes.
func checkAliases(data []byte) error {
	if bytes.IndexByte(data, '*') < 0 || bytes.IndexByte(data, '&') < 0 {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	total := 0
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return nil // not YAML, or kustomize says what is wrong with it
		}
		total += size(&doc, map[*yaml.Node]int{})
		if total > maxNodes {
			return fmt.Errorf("unfolds through its YAML aliases into more than %d values", maxNodes)
		}
	}
}

// size counts the nodes that n unfolds into, at most maxNodes+1. known keeps the
// counts of anchored nodes, which makes it linear in the file.
func size(n *yaml.Node, known map[*yaml.Node]int) int {
	if n.Kind == yaml.AliasNode {
		if s, ok := known[n.Alias]; ok {
			return s
		}
		known[n.Alias] = maxNodes + 1 // an alias within its own anchor never ends
		known[n.Alias] = size(n.Alias, known)
		return known[n.Alias]
	}
	if s, ok := known[n]; ok && n.Anchor != "" {
		return s
	}
	s := 1
	for _, c := range n.Content {
		if s += size(c, known); s > maxNodes {
			s = maxNodes + 1
			break
		}
	}
	if n.Anchor != "" {
		known[n] = s
	}
	return s
}
