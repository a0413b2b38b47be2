//go:build e2e

package e2e

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/e2e/pages"
	"github.com/proerror77/nova-staging/e2e/world"
)

// walk goes through pages of the documentation at a desk, block by block.
type walk struct {
	*world.Desk
	name  string
	steps map[string]pages.Block
	ran   map[string]bool
}

// newWalk reads what the walk of a name is to run.
func newWalk(ctx context.Context, t *testing.T, name string, account world.Account) *walk {
	t.Helper()
	desk, err := w.NewDesk(ctx, account)
	need(t, err)
	k := &walk{Desk: desk, name: name, steps: map[string]pages.Block{}, ran: map[string]bool{}}
	for page, headings := range pages.Held {
		p, err := pages.Read(w.Root(), page)
		need(t, err)
		steps, err := pages.Steps(p, headings, pages.Decisions, pages.Substitutions)
		need(t, err)
		for step, b := range steps {
			if of, own, _ := strings.Cut(step, "/"); of == name {
				k.steps[own] = b
			}
		}
	}
	return k
}

// run runs a step, which is to succeed, and gives what it said: standard output,
// and all of it.
func (k *walk) run(ctx context.Context, t *testing.T, step string) (stdout, all string) {
	t.Helper()
	r := k.do(ctx, t, k.text(t, step))
	if r.Status != 0 {
		t.Fatalf("%s: exit status %d:\n%s%s", step, r.Status, r.Stdout, r.Stderr)
	}
	return r.Stdout, r.Stdout + r.Stderr
}

// text is that of a step that is no command, such as a file.
func (k *walk) text(t *testing.T, step string) string {
	t.Helper()
	b, ok := k.steps[step]
	if !ok {
		t.Fatalf("the walk %s has no step %q", k.name, step)
	}
	k.ran[step] = true
	return b.Text
}

// do runs what a page asks for in words.
func (k *walk) do(ctx context.Context, t *testing.T, text string) pages.Result {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	began := time.Now()
	r, err := k.Run(limited, text)
	need(t, err)
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	w.Log("%4.1fs %d $ %.100s", time.Since(began).Seconds(), r.Status, line)
	return r
}

// needs does what a page asks for in words; it is to succeed.
func (k *walk) needs(ctx context.Context, t *testing.T, text string) string {
	t.Helper()
	r := k.do(ctx, t, text)
	if r.Status != 0 {
		t.Fatalf("exit status %d of\n%s\n%s%s", r.Status, text, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// done fails the test if a step was not run, as after a name was mistyped.
func (k *walk) done(t *testing.T) {
	t.Helper()
	for step, b := range k.steps {
		if !k.ran[step] {
			t.Errorf("the step %q of the walk %s was not run:\n%s", step, k.name, b.Text)
		}
	}
}

// hasAll fails the test unless a text has all parts.
func hasAll(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s: there is no %q in\n%s", what, p, text)
		}
	}
}

// bring links the programs of this project into folders.
func (k *walk) bring(ctx context.Context, t *testing.T, folders ...string) {
	t.Helper()
	programs, err := w.Programs(ctx)
	need(t, err)
	for _, dir := range folders {
		for _, name := range []string{"generate", "smoke", "trigger"} {
			need(t, os.Symlink(filepath.Join(programs, name), filepath.Join(dir, name)))
		}
	}
}

// samePods fails the test if one of the services' Pods is another than before.
func samePods(ctx context.Context, t *testing.T, before map[string]bool) {
	t.Helper()
	if now := podIDs(ctx, t); !maps.Equal(now, before) {
		t.Errorf("the Pods are not the same: %v, before %v", now, before)
	}
}

// podIDs are the services' Pods: the same, nothing has moved.
func podIDs(ctx context.Context, t *testing.T) map[string]bool {
	t.Helper()
	ids, err := w.PodIDs(ctx)
	need(t, err)
	return ids
}
