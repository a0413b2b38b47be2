package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/proerror77/nova-staging/plugin/resolve"
)

// Table writes the report for people: one line an image, and below it, where the
// report has them, every candidate.
func (r *Report) Table(w io.Writer) error {
	var b strings.Builder
	registry := r.registry()
	fmt.Fprintf(&b, "%s as of %s\n", r.Kustomization, r.AsOf.UTC().Format(time.RFC3339Nano))
	if r.Revision != nil {
		fmt.Fprintf(&b, "revision %s %q\n", short(r.Revision.SHA), r.Revision.Subject)
		if i := r.oneCommit(); i != nil {
			fmt.Fprintf(&b, "images of %s %q\n", short(i.Commit), i.Subject)
		}
	}
	if registry != "" {
		fmt.Fprintf(&b, "registry %s\n", strings.TrimSuffix(registry, "/"))
	}
	b.WriteString("\n")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "IMAGE\tTAG\tDIGEST\tPUSHED\tAGE\tPOLICY\tWHY")
	notes := newFootnotes(r.Images)
	for _, i := range r.Images {
		name := strings.TrimPrefix(i.Name, registry)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, dash(short(i.Tag)), dash(shortDigest(i.Digest)),
			pushed(i.PushedAt), age(i.PushedAt, r.AsOf), dash(i.Policy), notes.mark(why(i)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	notes.write(&b)
	for _, i := range r.Images {
		if len(i.Candidates) > 0 {
			r.candidates(&b, strings.TrimPrefix(i.Name, registry), i)
		}
	}
	for _, warning := range r.warnings() {
		fmt.Fprintf(&b, "\nwarning: %s", warning)
	}
	text := strings.TrimRight(b.String(), "\n") + "\n"
	_, err := io.WriteString(w, trimLines(text))
	return err
}

func (r *Report) candidates(b *strings.Builder, name string, i Image) {
	fmt.Fprintf(b, "\n%s: %d looked at", name, len(i.Candidates))
	if i.Entry != "" {
		fmt.Fprintf(b, ", by %s at %s", i.Rule, i.Entry)
	}
	b.WriteString("\n")
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, c := range i.Candidates {
		mark := " "
		if c.Chosen {
			mark = "*"
		}
		fmt.Fprintf(t, "%s %s\t%s\t%s\t%s\t%s\n", mark, short(c.Tag), dash(shortDigest(c.Digest)), pushed(c.PushedAt), c.Why, subject(c))
	}
	_ = t.Flush() // a strings.Builder does not fail
}

func subject(c resolve.Candidate) string {
	if c.Subject == "" {
		return ""
	}
	return fmt.Sprintf("%q", c.Subject)
}

func why(i Image) string {
	s := i.Why
	if i.Status == Failed {
		s = "FAILED: " + strings.ReplaceAll(s, "\n", " ")
	}
	if i.Cached {
		s += " (decided by an earlier render)"
	}
	if len(i.Warnings) > 0 {
		s += " (see warning)"
	}
	return s
}

func (r *Report) warnings() []string {
	all := append([]string{}, r.Warnings...)
	for _, i := range r.Images {
		all = append(all, i.Warnings...)
	}
	return all
}

// registry is the host that all images with a policy share, with a slash; then
// the table leaves it out of each line.
func (r *Report) registry() string {
	host := ""
	for _, i := range r.Images {
		if i.Policy == "" {
			continue
		}
		h, _, ok := strings.Cut(i.Name, "/")
		if !ok || host != "" && h+"/" != host {
			return ""
		}
		host = h + "/"
	}
	return host
}

// oneCommit gives an image when all that come from a commit come from the same,
// and that is not the revision itself: then the table says it once.
func (r *Report) oneCommit() *Image {
	var one *Image
	for k := range r.Images {
		i := &r.Images[k]
		if i.Commit == "" {
			continue
		}
		if one != nil && one.Commit != i.Commit || i.Commit == r.Revision.SHA {
			return nil
		}
		one = i
	}
	return one
}

func short(tag string) string {
	if len(tag) == 40 && strings.Trim(tag, "0123456789abcdef") == "" {
		return tag[:12]
	}
	return tag
}

func shortDigest(d string) string {
	if len(d) > 19 {
		return d[:19]
	}
	return d
}

func pushed(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// age at the instant, so that the same report reads the same tomorrow.
func age(t *time.Time, asOf time.Time) string {
	if t == nil {
		return "-"
	}
	d := asOf.Sub(*t)
	switch {
	case d < 0:
		return "after"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
