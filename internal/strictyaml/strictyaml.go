// Package strictyaml decodes configuration files that people write: an unknown
// field, a field given twice or a value of the wrong type is an error that
// names the file, the line and the valid choices.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxSize is the largest file that is read, in bytes. These are files that
// people write by hand; anything larger is a mistake or an attack.
const MaxSize = 1 << 20

// Error is a mistake at a place in a file.
type Error struct {
	File string
	Line int // 1-based; 0 when the mistake has no line
	Msg  string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// Decode reads the one YAML document in data into out, a pointer to a struct
// with yaml tags. file is used in errors only. The returned node is the
// document's root mapping, for [At] in later checks. All errors are *Error.
func Decode(file string, data []byte, out any) (*yaml.Node, error) {
	if len(data) > MaxSize {
		return nil, &Error{File: file, Msg: fmt.Sprintf("is %d bytes, at most %d are read", len(data), MaxSize)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &Error{File: file, Msg: "is empty"}
		}
		return nil, syntax(file, err)
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return nil, &Error{File: file, Line: second.Line, Msg: "a second YAML document begins here: keep one"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntax(file, err)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &Error{File: file, Line: root.Line, Msg: "want a mapping, found " + kindOf(root)}
	}
	if err := check(file, root, reflect.TypeOf(out).Elem(), ""); err != nil {
		return nil, err
	}
	if err := root.Decode(out); err != nil {
		return nil, syntax(file, err)
	}
	return root, nil
}

// check walks node beside the type that it will be decoded into, because the
// library's own strict mode names Go types where a person needs field names.
func check(file string, node *yaml.Node, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if node.Kind == yaml.AliasNode {
		return &Error{File: file, Line: node.Line, Msg: "aliases are not read here: write the value out"}
	}
	if node.Tag == "!!null" || reflect.PointerTo(t).Implements(unmarshaler) {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return checkStruct(file, node, t, path)
	case reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			return &Error{File: file, Line: node.Line, Msg: fmt.Sprintf("%s: want a list, found %s", path, kindOf(node))}
		}
		for i, item := range node.Content {
			if err := check(file, item, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		if node.Kind != yaml.MappingNode {
			return &Error{File: file, Line: node.Line, Msg: fmt.Sprintf("%s: want a mapping, found %s", path, kindOf(node))}
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if err := check(file, node.Content[i+1], t.Elem(), join(path, node.Content[i].Value)); err != nil {
				return err
			}
		}
	default:
		if node.Kind != yaml.ScalarNode {
			return &Error{File: file, Line: node.Line, Msg: fmt.Sprintf("%s: want %s, found %s", path, t.Kind(), kindOf(node))}
		}
	}
	return nil
}

var unmarshaler = reflect.TypeFor[yaml.Unmarshaler]()

func checkStruct(file string, node *yaml.Node, t reflect.Type, path string) error {
	if node.Kind != yaml.MappingNode {
		where := path
		if where == "" {
			where = "the document"
		}
		return &Error{File: file, Line: node.Line, Msg: fmt.Sprintf("%s: want a mapping, found %s", where, kindOf(node))}
	}
	fields := fieldsOf(t)
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		ft, ok := fields[key.Value]
		if !ok {
			at := ""
			if path != "" {
				at = " in " + path
			}
			return &Error{File: file, Line: key.Line, Msg: fmt.Sprintf("unknown field %s%s, valid fields are: %s", quote(key.Value), at, strings.Join(names, ", "))}
		}
		if first, dup := seen[key.Value]; dup {
			return &Error{File: file, Line: key.Line, Msg: fmt.Sprintf("field %q is already given at line %d", key.Value, first)}
		}
		seen[key.Value] = key.Line
		if err := check(file, value, ft, join(path, key.Value)); err != nil {
			return err
		}
	}
	return nil
}

func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case strings.Contains(opts, "inline"):
			for k, v := range fieldsOf(f.Type) {
				fields[k] = v
			}
		case name != "":
			fields[name] = f.Type
		default:
			fields[strings.ToLower(f.Name)] = f.Type
		}
	}
	return fields
}

// Find gives the node at path below root, a mix of field names (string) and
// list positions (int), or nil. A field that is given without a value is found.
func Find(root *yaml.Node, path ...any) *yaml.Node {
	node, _ := walk(root, path)
	return node
}

// At gives the line of the node at path below root; the line of its nearest
// parent where the path ends early.
func At(root *yaml.Node, path ...any) int {
	_, line := walk(root, path)
	return line
}

func walk(node *yaml.Node, path []any) (*yaml.Node, int) {
	line := node.Line
	for _, step := range path {
		var next *yaml.Node
		switch s := step.(type) {
		case string:
			for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
				if node.Content[i].Value == s {
					next, line = node.Content[i+1], node.Content[i].Line
				}
			}
		case int:
			if node.Kind == yaml.SequenceNode && s < len(node.Content) {
				next = node.Content[s]
				line = next.Line
			}
		}
		if next == nil {
			return nil, line
		}
		node = next
	}
	return node, line
}

// syntax turns the library's "yaml: line 3: …" into an *Error.
func syntax(file string, err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	msg = strings.TrimPrefix(msg, "unmarshal errors:\n")
	msg = strings.TrimSpace(strings.ReplaceAll(msg, "\n", ";"))
	line := 0
	if n, _ := fmt.Sscanf(msg, "line %d:", &line); n == 1 {
		_, msg, _ = strings.Cut(msg, ": ")
	}
	return &Error{File: file, Line: line, Msg: "not valid YAML: " + msg}
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	default:
		if n.Tag == "!!null" {
			return "nothing"
		}
		return quote(n.Value)
	}
}

// quote shows the beginning of what was found: it may be a whole file of
// something else.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return fmt.Sprintf("%q…", string(r[:most]))
	}
	return fmt.Sprintf("%q", s)
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}
