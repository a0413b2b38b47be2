package build

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFile is the largest file that is read, in bytes: ten times the largest
	// object that etcd takes, for bundles of CRDs.
	maxFile = 16 << 20
	// maxNodes is how many YAML values one file may unfold into. kustomize
	// replaces every alias by a copy and needs more than 1 KB for a value. A bundle
	// of CRDs has some 100,000 values and no alias.
	maxNodes = 500_000
	// maxDepth is how deep values may nest. YAML indents each level, so that the
	// text grows with the square. A CRD's schema nests some 60 levels.
	maxDepth = 200
	// maxInline is how many times a text may hold YAML that holds a text: an inline
	// transformer with an inline patch is two.
	maxInline = 8
)

// checkYAML refuses a text that takes far more memory as YAML than it has bytes:
// by aliases (a few lines of nested ones make gigabytes), by nesting, or by
// millions of tiny values. Inline patches and transformers are texts within the
// text. Ordinary manifests are only scanned, not parsed.
func checkYAML(data []byte) error { return checkText(data, 0) }

func checkText(data []byte, level int) error {
	data = utf8Of(data)
	docs := documents(data)
	var values int
	var suspicious bool
	for _, d := range docs {
		v, s := estimate(d)
		values += v
		suspicious = suspicious || s
	}
	switch {
	case values > 2*maxNodes:
		return fmt.Errorf("holds more than %d values", maxNodes)
	case level > maxInline:
		return fmt.Errorf("holds YAML within YAML more than %d times", maxInline)
	case values <= maxNodes && !suspicious:
		return nil
	}
	c := counter{level: level, known: map[*yaml.Node]extent{}}
	for _, d := range docs {
		if err := c.document(d); err != nil {
			return err
		}
	}
	return nil
}

// estimate counts the values of a YAML document roughly, never below a third of
// what they are, and says whether one has to parse it to know how deep they nest
// and what they unfold into.
func estimate(data []byte) (values int, suspicious bool) {
	var indent, dashes, openers, anchors, aliases int
	start := true // nothing but spaces and dashes so far in this line
	for i, b := range data {
		next := byte('\n')
		if i+1 < len(data) {
			next = data[i+1]
		}
		switch b {
		case '\n', '\r', 0x85, 0xA8, 0xA9: // the last three end YAML's other line breaks
			values++
			start, indent, dashes = true, 0, 0
			continue
		case ' ', '\t':
			if start {
				indent++
			}
			continue
		case '-', '?':
			if next == ' ' || next == '\t' || next == '\n' || next == '\r' {
				values++
				dashes++
				suspicious = suspicious || indent+dashes > maxDepth/2
				continue
			}
		case ':':
			values++
		case ',':
			values += 2
		case '[', '{':
			values += 2
			if next != b+2 { // "[]" and "{}" hold nothing
				openers++
			}
		case '&':
			anchors++
		case '*':
			aliases++
		case '\\':
			suspicious = true // an escape can hide any of the others
		case '!':
			suspicious = suspicious || bytes.HasPrefix(data[i:], []byte("!!binary"))
		}
		suspicious = suspicious || indent > maxDepth/2
		start, dashes = false, 0
	}
	return values, suspicious || openers > maxDepth/2 || anchors > 0 && aliases > 0
}

// documents splits a text at its document separators, as kustomize does before it
// parses: what is malformed in one document says nothing of the next.
func documents(data []byte) [][]byte {
	var docs [][]byte
	for {
		i := bytes.Index(data, []byte("\n---"))
		if i < 0 {
			return append(docs, data)
		}
		docs = append(docs, data[:i+1])
		data = data[i+1:]
	}
}

// utf8Of gives the text in UTF-8: YAML may come in UTF-16.
func utf8Of(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		order = binary.BigEndian
	default:
		return data
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		units = append(units, order.Uint16(data[i:]))
	}
	return []byte(string(utf16.Decode(units)))
}

// extent of a value: how many values it unfolds into, and how deep.
type extent struct{ values, depth int }

type counter struct {
	level int
	total int
	known map[*yaml.Node]extent // of anchored nodes, which makes counting linear
}

func (c *counter) document(data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); err != nil {
			return nil // the end; or no YAML, of which kustomize says what is wrong
		}
		if c.level > 0 && len(doc.Content) == 1 && doc.Content[0].Kind == yaml.ScalarNode {
			continue // prose; it would hold itself
		}
		e, err := c.extent(&doc)
		if err != nil {
			return err
		}
		if c.total += e.values; c.total > maxNodes {
			return fmt.Errorf("unfolds into more than %d values", maxNodes)
		}
		if e.depth > maxDepth+1 { // the document itself is a level
			return fmt.Errorf("nests more than %d levels deep", maxDepth)
		}
	}
}

func (c *counter) extent(n *yaml.Node) (extent, error) {
	if n.Kind == yaml.AliasNode {
		if e, ok := c.known[n.Alias]; ok {
			return e, nil
		}
		return extent{}, errors.New("holds a YAML alias within its own anchor")
	}
	if n.Kind == yaml.ScalarNode {
		if err := checkScalar(n, c.level); err != nil {
			return extent{}, err
		}
	}
	e := extent{values: 1}
	for _, child := range n.Content {
		inner, err := c.extent(child)
		if err != nil {
			return extent{}, err
		}
		e.depth = max(e.depth, inner.depth)
		if e.values += inner.values; e.values > maxNodes {
			e.values = maxNodes + 1
		}
	}
	e.depth++
	if n.Anchor != "" {
		c.known[n] = e
	}
	return e, nil
}

// checkScalar looks into a text that kustomize may parse again.
func checkScalar(n *yaml.Node, level int) error {
	value := n.Value
	if n.ShortTag() == "!!binary" {
		if decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), "")); err == nil {
			value = string(decoded)
		}
	}
	if len(value) < 2*maxDepth && !strings.ContainsAny(value, "&\\!") {
		return nil // too short for either
	}
	return checkText([]byte(value), level+1)
}

// duplicateKey finds a key that a mapping holds twice, which kustomize notices
// only when it writes the object, and then without saying in which.
func duplicateKey(n *yaml.Node) string {
	var seen map[string]bool
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if seen == nil {
				seen = make(map[string]bool, len(n.Content)/2)
			}
			if seen[child.Value] {
				return child.Value
			}
			seen[child.Value] = true
			continue
		}
		if key := duplicateKey(child); key != "" {
			return key
		}
	}
	return ""
}
