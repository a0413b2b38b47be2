package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

// peers compares ways to find out what eight services should run, against one
// emulator in one run. All have to find the same images.
func (b *bench) peers(ctx context.Context) error {
	for _, tags := range []int{40, 200} {
		if err := b.peersAt(ctx, tags); err != nil {
			return err
		}
	}
	return nil
}

const (
	services    = 8
	commitEvery = 20 * time.Minute
)

func (b *bench) peersAt(ctx context.Context, tags int) error {
	// Without a password, which would cost the peers one call more.
	e := ecremulator.New(ecremulator.WithAnonymousPull())
	server, err := e.Serve()
	if err != nil {
		return err
	}
	defer server.Close()
	dir, want, err := b.history(e, tags)
	if err != nil {
		return err
	}
	tagged, newest := dir+"-tagged", dir+"-newest"
	host := fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com", novaworld.Account, novaworld.Region)
	last, _, _ := strings.Cut(want[0], "@")
	_, last, _ = strings.Cut(last, ":")
	// What a CI that commits tags would have left in git.
	if err := variant(dir, tagged, "all.yaml", func(s string) string {
		for i := services - 1; i >= 0; i-- {
			s = strings.ReplaceAll(s, fmt.Sprintf("/bench/app-%d}", i), fmt.Sprintf("/bench/app-%d:%s}", i, last))
		}
		return s
	}); err != nil {
		return err
	}
	if err := variant(dir, newest, "images.yaml", func(s string) string {
		return strings.ReplaceAll(s, "commit: {}", "newest: {tags: '^[0-9a-f]{40}$'}")
	}); err != nil {
		return err
	}
	address := strings.TrimPrefix(server.URL, "http://")
	repositories := make([]string, services)
	for i := range repositories {
		repositories[i] = fmt.Sprintf("bench/app-%d", i)
	}
	const latency = 20 * time.Millisecond
	all := []*candidate{
		{name: "generate, commit", binary: b.generate, args: []string{"--as-of", peersAsOf(tags), "--no-cache"}, dir: dir},
		{name: "generate, newest", binary: b.generate, args: []string{"--as-of", peersAsOf(tags), "--no-cache"}, dir: newest},
		{
			name: "kustomize, then a HEAD an image (tag known)", binary: "/bin/sh", dir: tagged,
			args: []string{"-c", fmt.Sprintf("set -e; %q build > out; %q digests -registry %s -host %s < out", b.kustomize, b.tagbytag, address, host)},
		},
		{name: "tag by tag, newest build (no render)", binary: b.tagbytag, args: append([]string{"newest", "-registry", address, "-tags", "^[0-9a-f]{40}$"}, repositories...), dir: dir},
	}
	for _, c := range all {
		c.ecr, c.latency = server, latency
		if err := b.agrees(ctx, c, want); err != nil {
			return err
		}
	}
	runs := b.runs
	b.runs = max(3, runs/4)
	defer func() { b.runs = runs }()
	if err := b.measure(ctx, all...); err != nil {
		return err
	}
	b.table(fmt.Sprintf("Eight services with %d tags each, ways to find their images, at 20 ms", tags), all...)
	return nil
}

func peersAsOf(tags int) string {
	return monday.Add(24*time.Hour + time.Duration(tags)*commitEvery).Format(time.RFC3339)
}

// history makes an overlay of services with an image for each of some commits. It
// gives the newest images, as repository:tag@digest.
func (b *bench) history(e *ecremulator.Emulator, tags int) (dir string, newest []string, err error) {
	dir, w, err := b.synthetic(e, fmt.Sprintf("peers-%d", tags), services)
	if err != nil {
		return "", nil, err
	}
	for n := 1; n < tags; n++ { // the first was made with the overlay
		at := monday.Add(2*time.Hour + time.Duration(n)*commitEvery)
		sha, err := w.Commit(at, fmt.Sprintf("change %d", n))
		if err != nil {
			return "", nil, err
		}
		newest = nil
		for i := range services {
			r := w.Registry.Repository(fmt.Sprintf("bench/app-%d", i))
			built := at.Add(10 * time.Minute)
			c := ecremulator.Index(ecremulator.OCIImage(fmt.Sprint(i, n), ecremulator.WithCreated(built)))
			digest, err := r.PushAt(built, c, sha)
			if err != nil {
				return "", nil, err
			}
			newest = append(newest, fmt.Sprintf("%s:%s@%s", r.Name(), sha, digest))
		}
	}
	return dir, newest, nil
}

// variant copies a folder beside itself, within the same repository, with one file
// changed.
func variant(dir, to, file string, change func(string) string) error {
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		return err
	}
	path := filepath.Join(to, file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := change(string(text))
	if changed == string(text) {
		return fmt.Errorf("change %s: nothing to change", path)
	}
	return os.WriteFile(path, []byte(changed), 0o644)
}

// agrees runs a candidate once and looks for the images that it has to find.
func (b *bench) agrees(ctx context.Context, c *candidate, want []string) error {
	cmd := exec.CommandContext(ctx, c.binary, c.args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.temp}
	for name, value := range c.ecr.Env() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run %s: %w", c.name, err)
	}
	for _, image := range want {
		if !strings.Contains(string(out), image) {
			return fmt.Errorf("%s does not find %s", c.name, image)
		}
	}
	return nil
}
