package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// inner are sentinels that never reach a person as they are, and why.
var inner = map[string]string{
	"plugin/command.errUsage":      "marks errors that have a text of their own",
	"trigger/command.errUsage":     "marks errors that have a text of their own",
	"plugin/history.errNoRef":      "becomes ErrRevisionNotFound",
	"plugin/history.errAbsent":     "becomes ErrIncomplete or ErrRevisionNotFound",
	"plugin/history.errTooLarge":   "the reason within ErrCorrupt",
	"plugin/history.errNotRegular": "the reason within ErrCorrupt",
	"plugin/ecr.errScanNotFound":   "becomes the scan state missing",
	"plugin/ecr.errTooLarge":       "the reason within ErrResponse",
	"plugin/ecr.errHollow":         "the reason within ErrResponse",
	"plugin/build.errReadOnly":     "the reason within ErrBuild",
}

// sources are the parsed files of a folder and those below it, by package path.
type sources map[string][]*ast.File

func parse(t *testing.T, folders ...string) sources {
	t.Helper()
	root := filepath.Dir(pages)
	out := sources{}
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "testdata" {
				return skipped(err)
			}
			if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			pkg, err := filepath.Rel(root, filepath.Dir(path))
			out[filepath.ToSlash(pkg)] = append(out[filepath.ToSlash(pkg)], f)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func skipped(err error) error {
	if err != nil {
		return err
	}
	return filepath.SkipDir
}

// sentinels are the package variables made by errors.New, by "package.Name", with
// their texts.
func (s sources) sentinels(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for pkg, files := range s {
		constants := map[string]string{}
		each := func(do func(name string, value ast.Expr)) {
			for _, f := range files {
				for _, d := range f.Decls {
					g, ok := d.(*ast.GenDecl)
					if !ok {
						continue
					}
					for _, spec := range g.Specs {
						v, ok := spec.(*ast.ValueSpec)
						if !ok {
							continue
						}
						for i := range min(len(v.Names), len(v.Values)) {
							do(v.Names[i].Name, v.Values[i])
						}
					}
				}
			}
		}
		each(func(name string, value ast.Expr) {
			if text, ok := literal(value, constants); ok {
				constants[name] = text
			}
		})
		each(func(name string, value ast.Expr) {
			call := newError(value)
			if call == nil {
				return
			}
			text, ok := literal(call.Args[0], constants)
			if !ok {
				t.Errorf("the text of %s.%s can not be read", pkg, name)
			}
			found[pkg+"."+name] = text
		})
	}
	return found
}

// newError is the call of errors.New in a value, wherever it is.
func newError(value ast.Expr) (found *ast.CallExpr) {
	if _, ok := value.(*ast.FuncLit); ok {
		return nil
	}
	ast.Inspect(value, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 1 {
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "New" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "errors" {
					found = call
				}
			}
		}
		return found == nil
	})
	return found
}

func literal(e ast.Expr, constants map[string]string) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, e.Kind == token.STRING && err == nil
	case *ast.Ident:
		text, ok := constants[e.Name]
		return text, ok
	case *ast.BinaryExpr:
		a, okA := literal(e.X, constants)
		b, okB := literal(e.Y, constants)
		return a + b, okA && okB && e.Op == token.ADD
	}
	return "", false
}

// class is a row of a program's table of exit statuses.
type class struct {
	status string
	errs   []string // "package.Name"
}

// exitClasses reads the variable of that name in a package.
func (s sources) exitClasses(t *testing.T, pkg string) []class {
	t.Helper()
	var out []class
	for _, f := range s[pkg] {
		paths := map[string]string{}
		for _, i := range f.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			path = strings.TrimPrefix(path, "github.com/proerror77/nova-staging/")
			paths[path[strings.LastIndex(path, "/")+1:]] = path
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || v.Names[0].Name != "exitClasses" {
				return true
			}
			for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
				row := e.(*ast.CompositeLit)
				c := class{status: row.Elts[0].(*ast.BasicLit).Value}
				ast.Inspect(row.Elts[2], func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.SelectorExpr:
						if x, ok := n.X.(*ast.Ident); ok && strings.HasPrefix(n.Sel.Name, "Err") && n.Sel.Name != "Error" {
							c.errs = append(c.errs, paths[x.Name]+"."+n.Sel.Name)
						}
						return false
					case *ast.Ident:
						if strings.HasPrefix(n.Name, "err") && n.Name != "err" && n.Name != "error" {
							c.errs = append(c.errs, pkg+"."+n.Name)
						}
					}
					return true
				})
				out = append(out, c)
			}
			return false
		})
	}
	if len(out) < 8 {
		t.Fatalf("%d exit classes in %s: is the test still reading them?", len(out), pkg)
	}
	return out
}

// index is a table of troubleshooting.md under a heading of the second level: its
// rows, by cell.
func index(t *testing.T, heading string) [][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(pages, "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(data), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("troubleshooting.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	section, _, _ = strings.Cut(section, "\n### ")
	var rows [][]string
	for _, line := range strings.Split(section, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| status |") || strings.HasPrefix(line, "| message |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i, c := range cells {
			cells[i] = strings.TrimSpace(c)
			if cells[i] == "" {
				t.Errorf("troubleshooting.md: an empty cell in %s", line)
			}
		}
		rows = append(rows, cells)
	}
	if len(rows) < 5 {
		t.Fatalf("%d rows under %q: is the test still reading them?", len(rows), heading)
	}
	return rows
}

var code = regexp.MustCompile("`[^`]+`")

// says is true of a row that has a status and, in backticks, a text.
func says(row []string, status, text string) bool {
	return (status == "" || row[0] == status) && len(row) == 4 && strings.Contains(strings.Join(code.FindAllString(row[1], -1), " "), text)
}

func has(rows [][]string, status, text string) bool {
	for _, r := range rows {
		if says(r, status, text) {
			return true
		}
	}
	return false
}

// TestTheIndexHasEveryMessage finds every sentinel error and every exit status of
// the programs in troubleshooting.md, the sentinels beside their status.
func TestTheIndexHasEveryMessage(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		program, command string
		folders          []string
	}{
		{"generate", "plugin/command", []string{"plugin"}},
		{"trigger", "trigger/command", []string{"trigger", "plugin/command"}},
		{"smoke", "", []string{"smoke"}},
	} {
		rows := index(t, p.program)
		s := parse(t, p.folders...)
		texts := s.sentinels(t)
		if p.program == "trigger" {
			for name := range texts {
				if strings.HasPrefix(name, "plugin/") {
					delete(texts, name)
				}
			}
		}
		if len(texts) == 0 {
			t.Errorf("%s has no sentinel errors: is the test still finding them?", p.program)
		}
		for name, text := range texts {
			if inner[name] == "" && !has(rows, "", text) {
				t.Errorf("troubleshooting.md, %s: no row for the message %q (%s)", p.program, text, name)
			}
		}
		valid := map[string]bool{"0": true, "1": true, "130": true, "any": true}
		if p.command == "" {
			for _, c := range verdict.Classes() {
				status := strconv.Itoa(c.Code)
				valid[status] = true
				if c.Class != verdict.OK && !has(rows, status, string(c.Class)) {
					t.Errorf("troubleshooting.md, smoke: no row for exit code %d, class %s (%s)", c.Code, c.Class, c.Meaning)
				}
			}
		} else {
			for _, c := range s.exitClasses(t, p.command) {
				valid[c.status] = true
				if !has(rows, c.status, "") {
					t.Errorf("troubleshooting.md, %s: no row for exit status %s", p.program, c.status)
				}
				for _, name := range c.errs {
					text, ok := texts[name]
					if !ok {
						t.Errorf("%s: the sentinel %s was not found", p.program, name)
					} else if inner[name] == "" && !has(rows, c.status, text) {
						t.Errorf("troubleshooting.md, %s: no row for %q with exit status %s", p.program, text, c.status)
					}
				}
			}
		}
		for _, r := range rows {
			if !valid[r[0]] || len(r) != 4 {
				t.Errorf("troubleshooting.md, %s: exit status %s does not exist, or the row has not 4 cells: %s", p.program, r[0], r)
			}
		}
	}
	for name := range inner {
		pkg, _, _ := strings.Cut(name, ".")
		if _, ok := parse(t, pkg).sentinels(t)[name]; !ok {
			t.Errorf("the sentinel %s is not there any more", name)
		}
	}
}

// TestTheIndexHasWhatTriggersLogComplainsOf finds the texts of the log's errors and
// warnings.
func TestTheIndexHasWhatTriggersLogComplainsOf(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(pages, "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n### The log of trigger watch\n")
	section, _, _ = strings.Cut(section, "\n## ")
	n := 0
	for _, files := range parse(t, "trigger") {
		for _, f := range files {
			ast.Inspect(f, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok || len(call.Args) == 0 {
					return true
				}
				method, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || method.Sel.Name != "Error" && method.Sel.Name != "Warn" {
					return true
				}
				text, ok := literal(call.Args[0], nil)
				if !ok {
					return true
				}
				n++
				if !strings.Contains(section, "`"+text+"`") {
					t.Errorf("troubleshooting.md, the log of trigger watch: no row for %q", text)
				}
				return true
			})
		}
	}
	if n < 8 {
		t.Errorf("%d lines were found: is the test still finding them?", n)
	}
}

// TestTheIndexHasWhatTriggerSaysWhileItWaits finds the reasons for which no verdict
// comes.
func TestTheIndexHasWhatTriggerSaysWhileItWaits(t *testing.T) {
	t.Parallel()
	rows := index(t, "Argo CD")
	n := 0
	for _, f := range parse(t, "trigger/application")["trigger/application"] {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "Stuck" {
				continue
			}
			ast.Inspect(fn, func(node ast.Node) bool {
				r, ok := node.(*ast.ReturnStmt)
				if !ok {
					return true
				}
				ast.Inspect(r, func(node ast.Node) bool {
					lit, ok := node.(*ast.BasicLit)
					if !ok {
						return true
					}
					text, _ := strconv.Unquote(lit.Value)
					text, _, _ = strings.Cut(strings.TrimSuffix(text, ": "), "%")
					if !strings.Contains(text, " ") { // a key of the status
						return true
					}
					n++
					for _, r := range rows {
						if strings.Contains(r[0], strings.TrimSpace(text)) {
							return true
						}
					}
					t.Errorf("troubleshooting.md, Argo CD: no row for %q", text)
					return true
				})
				return true
			})
		}
	}
	if n < 4 {
		t.Errorf("%d reasons were found: is the test still reading Stuck?", n)
	}
}
