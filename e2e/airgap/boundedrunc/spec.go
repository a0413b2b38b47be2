package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// spec is a file that tells runc what to run.
type spec struct {
	path string
	// within names the objects that lead to "capabilities".
	within []string
}

// findSpecs finds the files that runc's arguments name: a bundle's config.json
// when a container is made, a process file when a command is run in one.
func findSpecs(args []string) []spec {
	var specs []spec
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, value, ok := strings.Cut(arg, "=")
		if !ok && i+1 < len(args) {
			value = args[i+1]
		}
		if value == "" {
			continue
		}
		switch name {
		case "--bundle", "-bundle", "-b":
			specs = append(specs, spec{path: filepath.Join(value, "config.json"), within: []string{"process"}})
		case "--process", "-process", "-p":
			specs = append(specs, spec{path: value})
		}
	}
	return specs
}

// limit rewrites the file if it asks for a capability outside of the bounds.
func (s spec) limit(b bounds) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("reading what to run: %w", err)
	}
	before, err := os.ReadFile(s.path)
	if err != nil {
		return fmt.Errorf("reading what to run: %w", err)
	}
	after, changed, err := limit(before, s.within, b)
	if err != nil {
		return fmt.Errorf("limiting the capabilities in %s: %w", s.path, err)
	}
	if !changed {
		return nil
	}
	if err := os.WriteFile(s.path, after, info.Mode().Perm()); err != nil {
		return fmt.Errorf("limiting the capabilities in %s: %w", s.path, err)
	}
	return nil
}

// limit drops what the bounds do not allow from each list of the object
// "capabilities" that lies within the named objects, and touches nothing else.
func limit(object json.RawMessage, within []string, b bounds) (json.RawMessage, bool, error) {
	key := "capabilities"
	if len(within) > 0 {
		key = within[0]
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, false, err
	}
	inner, ok := fields[key]
	if !ok || string(inner) == "null" {
		return object, false, nil
	}
	var changed bool
	var err error
	if len(within) > 0 {
		inner, changed, err = limit(inner, within[1:], b)
	} else {
		inner, changed, err = limitLists(inner, b)
	}
	if err != nil || !changed {
		return object, false, err
	}
	fields[key] = inner
	object, err = json.Marshal(fields)
	return object, true, err
}

func limitLists(object json.RawMessage, b bounds) (json.RawMessage, bool, error) {
	var lists map[string][]string
	if err := json.Unmarshal(object, &lists); err != nil {
		return nil, false, err
	}
	changed := false
	for name, list := range lists {
		kept := make([]string, 0, len(list))
		for _, capability := range list {
			if b.allows(capability) {
				kept = append(kept, capability)
			}
		}
		if len(kept) != len(list) {
			lists[name], changed = kept, true
		}
	}
	if !changed {
		return object, false, nil
	}
	object, err := json.Marshal(lists)
	return object, true, err
}
