// Command generate (in bench) measures the generate binary beside kustomize's,
// as Argo CD runs them: one process a render, on the Nova staging overlay, with
// ECR emulated at a chosen latency. Runs of the candidates alternate, so that
// whatever else the machine does meets all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 2 && os.Args[1] == runnerArg {
		if err := serveRunner(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s\n", err)
		os.Exit(1)
	}
}

type bench struct {
	out       io.Writer
	generate  string
	kustomize string
	tagbytag  string
	manifests string
	temp      string
	runs      int
	runner    *runner
}

func run(ctx context.Context, args []string, out io.Writer) error {
	b := &bench{out: out}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&b.generate, "generate", "bin/generate", "the generate binary")
	flags.StringVar(&b.kustomize, "kustomize", "bin/kustomize", "the kustomize binary")
	flags.StringVar(&b.tagbytag, "tagbytag", "bin/tagbytag", "the tagbytag binary, of bench/peers")
	only := flags.String("only", "", "measure only this part: overlay, peers, images, size or listed")
	flags.StringVar(&b.manifests, "manifests", "manifests", "folder with the Nova manifests")
	flags.IntVar(&b.runs, "runs", 20, "runs of each candidate")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for _, p := range []*string{&b.generate, &b.kustomize, &b.tagbytag} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	var err error
	if b.temp, err = os.MkdirTemp("", "nova-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.temp)
	if b.runner, err = startRunner(ctx); err != nil {
		return err
	}
	defer b.runner.stop()
	parts := []struct {
		name    string
		measure func(context.Context) error
	}{{"overlay", b.overlay}, {"peers", b.peers}, {"images", b.images}, {"size", b.repositorySize}, {"listed", b.listed}}
	known := false
	for _, part := range parts {
		if *only != "" && *only != part.name {
			continue
		}
		known = true
		if err := part.measure(ctx); err != nil {
			return err
		}
	}
	if !known {
		return fmt.Errorf("unknown part %q", *only)
	}
	return nil
}

// candidate is one command that is measured, in a folder, against an emulator at
// a latency.
type candidate struct {
	name    string
	binary  string
	args    []string
	dir     string
	ecr     *ecremulator.Server
	latency time.Duration

	wall  []time.Duration
	rss   int64 // peak, KiB
	calls int   // of the last run, to ECR's API and to /v2/
	bytes int64 // of their answers
}

func (c *candidate) median() time.Duration {
	sorted := slices.Clone(c.wall)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// measure runs all candidates in turn, once to warm up and then b.runs times.
func (b *bench) measure(ctx context.Context, candidates ...*candidate) error {
	for i := range b.runs + 1 {
		for _, c := range candidates {
			wall, rss, err := b.once(ctx, c)
			if err != nil {
				return err
			}
			if i > 0 {
				c.wall = append(c.wall, wall)
				c.rss = max(c.rss, rss)
			}
		}
	}
	return nil
}

func (b *bench) once(ctx context.Context, c *candidate) (wall time.Duration, rss int64, err error) {
	cmd := exec.CommandContext(ctx, c.binary, c.args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.temp}
	if c.ecr != nil {
		c.ecr.Reset()
		c.ecr.SetLatency(c.latency)
		for name, value := range c.ecr.Env() {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	wall, rss, err = b.runner.run(cmd)
	if err != nil {
		return 0, 0, fmt.Errorf("run %s: %w", c.name, err)
	}
	if c.ecr != nil {
		c.calls, c.bytes = len(c.ecr.Calls()), c.ecr.Bytes()
	}
	return wall, rss, nil
}

// table prints the candidates, with time and memory relative to the first.
func (b *bench) table(title string, candidates ...*candidate) {
	fmt.Fprintf(b.out, "\n%s (median of %d)\n", title, b.runs)
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\twall ms\tx\tpeak MiB\tx\tECR calls\tKiB\t\n")
	first := candidates[0]
	for _, c := range candidates {
		fmt.Fprintf(t, "%s\t%.1f\t%.2f\t%.1f\t%.2f\t%d\t%.0f\t\n", c.name,
			float64(c.median().Microseconds())/1000, float64(c.median())/float64(first.median()),
			float64(c.rss)/1024, float64(c.rss)/float64(first.rss), c.calls, float64(c.bytes)/1024)
	}
	_ = t.Flush()
}

var monday = time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)

// overlay compares with kustomize on the staging overlay.
func (b *bench) overlay(ctx context.Context) error {
	e := ecremulator.New()
	server, err := e.Serve()
	if err != nil {
		return err
	}
	defer server.Close()
	w, err := novaworld.Create(filepath.Join(b.temp, "overlay"), b.manifests, e, monday)
	if err != nil {
		return err
	}
	asOf := ""
	for i := range 40 {
		sha, err := w.Commit(monday.Add(time.Duration(i)*time.Hour), fmt.Sprintf("change %d", i))
		if err != nil {
			return err
		}
		at, err := w.Build(sha, monday.Add(time.Duration(i)*time.Hour+8*time.Minute))
		if err != nil {
			return err
		}
		asOf = at.Format(time.RFC3339)
	}
	if err := w.PushSmoke(monday); err != nil {
		return err
	}
	dir := w.Overlay("staging")
	kustomize := &candidate{name: "kustomize build", binary: b.kustomize, args: []string{"build"}, dir: dir}
	at0 := &candidate{name: "generate, 0 ms", binary: b.generate, args: []string{"--as-of", asOf, "--no-cache"}, dir: dir, ecr: server}
	at20 := &candidate{name: "generate, 20 ms", binary: b.generate, args: []string{"--as-of", asOf, "--no-cache"}, dir: dir, ecr: server, latency: 20 * time.Millisecond}
	again := &candidate{name: "generate, again", binary: b.generate, args: []string{"--as-of", asOf, "--cache-dir", filepath.Join(b.temp, "cache")}, dir: dir, ecr: server, latency: 20 * time.Millisecond}
	if err := b.measure(ctx, kustomize, at0, at20, again); err != nil {
		return err
	}
	b.table("Staging overlay, eight services; latency is that of each ECR call", kustomize, at0, at20, again)
	fmt.Fprintf(b.out, "20 ms of latency cost %.1f ms: %.1f round trips\n",
		float64((at20.median()-at0.median()).Microseconds())/1000, float64(at20.median()-at0.median())/float64(20*time.Millisecond))
	return nil
}

// synthetic makes an overlay of n Deployments, each with an image of its own, in
// a repository whose newest commit has all images.
func (b *bench) synthetic(e *ecremulator.Emulator, name string, n int) (dir string, w *novaworld.World, err error) {
	root := filepath.Join(b.temp, name)
	source := filepath.Join(b.temp, name+"-source", "app")
	if err := os.MkdirAll(source, 0o755); err != nil {
		return "", nil, err
	}
	var all strings.Builder
	for i := range n {
		fmt.Fprintf(&all, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app-%d}\nspec:\n  selector: {matchLabels: {app: app-%d}}\n  template:\n    metadata: {labels: {app: app-%d}}\n    spec:\n      containers:\n      - {name: app, image: %s.dkr.ecr.%s.amazonaws.com/bench/app-%d}\n",
			i, i, i, novaworld.Account, novaworld.Region, i)
	}
	files := map[string]string{
		"kustomization.yaml": "resources: [all.yaml]\n",
		"all.yaml":           all.String(),
		"images.yaml":        "apiVersion: staging.nova/v1alpha1\nkind: ImagePolicy\nimages:\n- match: \"*/bench/*\"\n  commit: {}\n",
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(source, file), []byte(text), 0o644); err != nil {
			return "", nil, err
		}
	}
	if w, err = novaworld.Create(root, filepath.Dir(source), e, monday); err != nil {
		return "", nil, err
	}
	sha, err := w.Commit(monday.Add(time.Hour), "build all")
	if err != nil {
		return "", nil, err
	}
	for i := range n {
		r, err := w.Registry.CreateRepository(fmt.Sprintf("bench/app-%d", i))
		if err != nil {
			return "", nil, err
		}
		if _, err := r.PushAt(monday.Add(2*time.Hour), ecremulator.OCIImage(fmt.Sprint(i)), sha); err != nil {
			return "", nil, err
		}
	}
	return filepath.Join(root, "manifests", "app"), w, nil
}

var benchAsOf = monday.Add(24 * time.Hour).Format(time.RFC3339)

// images grows the number of images in one overlay.
func (b *bench) images(ctx context.Context) error {
	var all []*candidate
	for _, n := range []int{8, 50, 200} {
		e := ecremulator.New()
		server, err := e.Serve()
		if err != nil {
			return err
		}
		defer server.Close()
		dir, _, err := b.synthetic(e, fmt.Sprintf("images-%d", n), n)
		if err != nil {
			return err
		}
		all = append(all,
			&candidate{name: fmt.Sprintf("%d images", n), binary: b.generate, args: []string{"--as-of", benchAsOf, "--no-cache"}, dir: dir, ecr: server, latency: 20 * time.Millisecond},
			&candidate{name: fmt.Sprintf("kustomize, %d images", n), binary: b.kustomize, args: []string{"build"}, dir: dir})
	}
	if err := b.measure(ctx, all...); err != nil {
		return err
	}
	b.table("Images in one overlay, at 20 ms", all...)
	return nil
}

// repositorySize grows the number of images in a repository, under commit.
func (b *bench) repositorySize(ctx context.Context) error {
	return b.sizes(ctx, "Images in the repository, policy commit, at 20 ms", "commit: {}")
}

// listed does the same under newest, which has to list them all.
func (b *bench) listed(ctx context.Context) error {
	return b.sizes(ctx, "Images in the repository, policy newest, at 20 ms", "newest: {tags: '^[0-9a-f]{40}$'}")
}

func (b *bench) sizes(ctx context.Context, title, rule string) error {
	var all []*candidate
	for _, n := range []int{100, 10_000, 100_000} {
		e := ecremulator.New()
		server, err := e.Serve()
		if err != nil {
			return err
		}
		defer server.Close()
		name := fmt.Sprintf("size-%d-%s", n, rule[:6])
		dir, w, err := b.synthetic(e, name, 1)
		if err != nil {
			return err
		}
		policy := filepath.Join(dir, "images.yaml")
		text, err := os.ReadFile(policy)
		if err != nil {
			return err
		}
		if err := os.WriteFile(policy, []byte(strings.ReplaceAll(string(text), "commit: {}", rule)), 0o644); err != nil {
			return err
		}
		// Older images, tagged like commits that the repository never had.
		err = w.Registry.Repository("bench/app-0").SeedImages(n-1, func(i int) (string, time.Time) {
			return fmt.Sprintf("%040x", i+1), monday.Add(-time.Duration(i) * time.Minute)
		})
		if err != nil {
			return err
		}
		all = append(all, &candidate{
			name: fmt.Sprintf("%d images", n), binary: b.generate,
			args: []string{"--as-of", benchAsOf, "--no-cache"}, dir: dir, ecr: server, latency: 20 * time.Millisecond,
		})
	}
	runs := b.runs
	b.runs = max(3, runs/4)
	defer func() { b.runs = runs }()
	if err := b.measure(ctx, all...); err != nil {
		return err
	}
	b.table(title, all...)
	return nil
}
