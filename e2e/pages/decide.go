package pages

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Decision says of one block whether a walk runs it.
type Decision struct {
	// Page, and the Heading that the block stands under; Has is a part of its text
	// that no other block there has. Empty Has: the only block there.
	Page, Heading, Has string
	// Run is the name under which a walk runs it. Or else
	Run string
	// Not is the reason why nobody does.
	Not string
}

// Substitution is what a reader, too, has to put in place of what a page shows.
type Substitution struct {
	// Page, and what is replaced there by what, in every block.
	Page, Old, New string
	// Why says why the suite can not take it as it stands.
	Why string
}

func (d Decision) fits(b Block) bool {
	return b.Heading == d.Heading && strings.Contains(b.Text, d.Has)
}

// kinds of blocks that are to be decided about; others are outputs and figures.
var kinds = []string{"sh", "yaml", Indented, Inline}

// Steps matches the blocks of a page under some headings, all if there are none,
// with the decisions about it, and gives the blocks to run by name, substituted.
// The error names each block that nobody has decided about, or two have, each
// decision that fits no block or several, and each substitution without an effect.
func Steps(p Page, headings []string, decisions []Decision, substitutions []Substitution) (map[string]Block, error) {
	var errs []error
	steps, fits := map[string]Block{}, make([]int, len(decisions))
	used := make([]bool, len(substitutions))
	for _, b := range p.Blocks {
		if !slices.Contains(kinds, b.Kind) || len(headings) > 0 && !slices.Contains(headings, b.Heading) {
			continue
		}
		decided := 0
		for i, d := range decisions {
			if d.Page != p.Name || !d.fits(b) {
				continue
			}
			decided++
			fits[i]++
			if (d.Run == "") == (d.Not == "") {
				errs = append(errs, fmt.Errorf("%s: a decision says both or neither of Run and Not: %+v", p.Name, d))
			}
			if _, twice := steps[d.Run]; twice && d.Run != "" {
				errs = append(errs, fmt.Errorf("%s: two blocks are named %q", p.Name, d.Run))
			}
			if d.Run == "" {
				continue
			}
			for j, s := range substitutions {
				if s.Page == p.Name && strings.Contains(b.Text, s.Old) {
					used[j] = true
					b.Text = strings.ReplaceAll(b.Text, s.Old, s.New)
				}
			}
			steps[d.Run] = b
		}
		if decided != 1 {
			errs = append(errs, fmt.Errorf("%s:%d: %d decisions about a block under %q, want one: say in e2e/pages whether a walk runs it:\n%s",
				p.Name, b.Line, decided, b.Heading, b.Text))
		}
	}
	for i, d := range decisions {
		if d.Page == p.Name && fits[i] != 1 {
			errs = append(errs, fmt.Errorf("%s: %d blocks under %q have %q, want one", p.Name, fits[i], d.Heading, d.Has))
		}
	}
	for j, s := range substitutions {
		if s.Page == p.Name && !used[j] {
			errs = append(errs, fmt.Errorf("%s: no block that is run has %q any more", p.Name, s.Old))
		}
	}
	return steps, errors.Join(errs...)
}
