package history_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/plugin/history"
)

// BenchmarkTwentyCommits is what a render does: find and open the repository,
// resolve the revision, list twenty commits.
func BenchmarkTwentyCommits(b *testing.B) {
	for name, tc := range map[string]struct{ commits, megabytes int }{
		"10000 commits in a pack of 3 MB":   {10_000, 0},
		"10000 commits in a pack of 100 MB": {10_000, 100},
	} {
		b.Run(name, func(b *testing.B) {
			git := newRepo(b)
			git.feed(manyCommits(tc.commits, tc.megabytes), "fast-import", "--quiet")
			git.git("repack", "-adq", "--depth=50")
			head := git.git("rev-parse", "HEAD")
			b.ReportAllocs()
			for b.Loop() {
				r, err := history.Open(git.dir)
				if err != nil {
					b.Fatal(err)
				}
				c, err := r.Resolve(head)
				if err != nil {
					b.Fatal(err)
				}
				if list, err := r.Log(c, 200).Next(b.Context(), 20); len(list) != 20 || err != nil {
					b.Fatal(len(list), err)
				}
			}
		})
	}
}

// BenchmarkAllCommits shows what each further commit costs.
func BenchmarkAllCommits(b *testing.B) {
	git := newRepo(b)
	git.feed(manyCommits(10_000, 0), "fast-import", "--quiet")
	git.git("repack", "-adq", "--depth=50")
	b.ReportAllocs()
	for b.Loop() {
		r, err := history.Open(git.dir)
		if err != nil {
			b.Fatal(err)
		}
		c, err := r.Resolve("main")
		if err != nil {
			b.Fatal(err)
		}
		if list, err := r.Log(c, 10_000).Next(b.Context(), 10_000); len(list) != 10_000 || err != nil {
			b.Fatal(len(list), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/10_000, "µs/commit")
}

// manyCommits is a fast-import stream: each commit changes a small file, and
// the first ones add files that do not compress.
func manyCommits(n, megabytes int) string {
	var in strings.Builder
	rng := rand.NewChaCha8([32]byte{})
	noise := make([]byte, 20_000)
	for i := range n {
		message := fmt.Sprintf("change %d: what it does\n\nWhy it does so, number %d.\n", i, i*7919)
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@example.com> %d +0900\ndata %d\n%s", 1700000000+i, len(message), message)
		fmt.Fprintf(&in, "M 644 inline f%d\ndata 6\n%05d\n\n", i%50, i)
		if i < megabytes*50 {
			_, _ = rng.Read(noise) // never fails
			fmt.Fprintf(&in, "M 644 inline noise%d\ndata %d\n%s\n", i, len(noise), noise)
		}
	}
	return in.String()
}
