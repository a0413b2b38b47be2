// Package pages reads the commands that the documentation shows, so that the e2e
// suite can run them as they stand there.
package pages

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Kinds of blocks that are no fenced ones; those have their language, "sh" say.
const (
	// Indented is a code block by its indentation.
	Indented = "indented"
	// Inline is a command in backticks within a paragraph or a table.
	Inline = "inline"
)

// Page is a Markdown file.
type Page struct {
	// Name is the path from the repository's root, such as docs/migration.md.
	Name   string
	Blocks []Block
}

// Block is something that a reader is to type, or to put into a file.
type Block struct {
	// Heading that it stands under, without its #.
	Heading string
	// Line is the number of its first line.
	Line int
	// Kind is the language of a fenced block, [Indented] or [Inline].
	Kind string
	// Text without the page's indentation. It ends in a newline.
	Text string
}

// Read reads a page of the repository in root.
func Read(root, name string) (Page, error) {
	b, err := os.ReadFile(root + "/" + name)
	if err != nil {
		return Page{}, fmt.Errorf("read a page: %w", err)
	}
	return Parse(name, string(b))
}

var (
	heading = regexp.MustCompile(`^#{1,6} +(.+?) *$`)
	fence   = regexp.MustCompile("^( *)```([a-z]*) *$")
	item    = regexp.MustCompile(`^ *(?:[-*]|[0-9]+\.) +`)
	quoted  = regexp.MustCompile("`([^`]+)`")
	command = regexp.MustCompile(`^(?:old/|new/|bin/)?(?:aws|generate|git|kubectl|make|smoke|trigger)(?: .*)? -`)
)

// reader goes through a page line by line.
type reader struct {
	page    Page
	heading string
	// item is the column where the text of the list item begins that the line
	// stands in, 0 outside of lists.
	item  int
	blank bool
	block *Block
	// indent is that of the block under way; fenced says how it ends.
	indent int
	fenced bool
}

// Parse finds the blocks of a page. The error is that of a fence without an end.
func Parse(name, text string) (Page, error) {
	r := reader{page: Page{Name: name}, blank: true}
	for i, line := range strings.Split(text, "\n") {
		r.line(i+1, line)
	}
	if r.fenced {
		return Page{}, fmt.Errorf("%s:%d: the fenced block has no end", name, r.block.Line)
	}
	r.end()
	return r.page, nil
}

func (r *reader) line(n int, line string) {
	if r.fenced {
		if fence.MatchString(line) {
			r.fenced = false
			r.end()
			return
		}
		r.add(line)
		return
	}
	if strings.TrimSpace(line) == "" {
		r.blank = true
		if r.block != nil {
			r.add("")
		}
		return
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if r.block != nil && indent >= r.indent {
		r.add(line)
		return
	}
	r.end()
	if r.blank && indent < r.item {
		r.item = 0
	}
	switch m := fence.FindStringSubmatch(line); {
	case m != nil:
		r.begin(n, m[2], len(m[1]))
		r.fenced = true
	case heading.MatchString(line):
		r.heading, r.item = heading.FindStringSubmatch(line)[1], 0
	case r.blank && indent >= r.item+4:
		r.begin(n, Indented, r.item+4)
		r.add(line)
	default:
		if m := item.FindString(line); m != "" {
			r.item = len(m)
		}
		r.inline(n, line)
	}
	r.blank = false
}

func (r *reader) begin(n int, kind string, indent int) {
	r.block, r.indent = &Block{Heading: r.heading, Line: n, Kind: kind}, indent
}

func (r *reader) add(line string) {
	r.block.Text += strings.TrimPrefix(line, strings.Repeat(" ", min(r.indent, len(line)-len(strings.TrimLeft(line, " "))))) + "\n"
}

func (r *reader) end() {
	if r.block != nil {
		r.block.Text = strings.TrimRight(r.block.Text, "\n") + "\n"
		r.page.Blocks = append(r.page.Blocks, *r.block)
		r.block = nil
	}
}

// inline takes what is in backticks and is a command with arguments. In a table
// a | in a command is escaped.
func (r *reader) inline(n int, line string) {
	for _, m := range quoted.FindAllStringSubmatch(line, -1) {
		if text := strings.ReplaceAll(m[1], `\|`, "|"); command.MatchString(text) {
			r.page.Blocks = append(r.page.Blocks, Block{Heading: r.heading, Line: n, Kind: Inline, Text: text + "\n"})
		}
	}
}
