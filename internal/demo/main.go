// Command demo shows generate at work on the Nova staging overlay, against an
// ECR emulator with a week of pushes: no account, no cluster, no container
// engine. It runs the generate binary that it is given, as Argo CD would.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %s\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	generate := flags.String("generate", "bin/generate", "the generate binary")
	manifests := flags.String("manifests", "manifests", "folder with the Nova manifests")
	if err := flags.Parse(args); err != nil {
		return err
	}
	binary, err := filepath.Abs(*generate)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "nova-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	d := &demo{out: out, binary: binary, temp: temp}
	return d.story(ctx, *manifests)
}

type demo struct {
	out    io.Writer
	binary string
	temp   string
	world  *novaworld.World
	ecr    *ecremulator.Server
}

// The week that the emulator remembers. Times are fixed, so that two runs show
// the same; only the images' age is measured from the instant.
var (
	monday = time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	friday = monday.AddDate(0, 0, 4)
)

func (d *demo) story(ctx context.Context, manifests string) error {
	e := ecremulator.New()
	server, err := e.Serve()
	if err != nil {
		return err
	}
	defer server.Close()
	d.ecr = server
	if d.world, err = novaworld.Create(filepath.Join(d.temp, "nova"), manifests, e, monday.Add(-time.Hour)); err != nil {
		return err
	}
	first, last, err := d.history()
	if err != nil {
		return err
	}
	before, after := first.Add(time.Minute), last.Add(time.Minute)

	d.say("An ECR emulator holds a week of pushes to the eight Nova services. Argo CD runs\n" +
		"generate in the overlay's folder. At the instant below, Thursday's build is the\n" +
		"newest that all eight services have:")
	if err := d.show(ctx, "explain", "--as-of", stamp(before)); err != nil {
		return err
	}
	d.say("While Friday's build is still pushing, nothing moves: the entry says together.")
	if err := d.show(ctx, "explain", "--as-of", stamp(last.Add(-time.Minute))); err != nil {
		return err
	}
	d.say("Friday's last image is pushed, and the instant moves. Argo CD makes one full sync\n" +
		"of the change, smoke test included. One service of eight:")
	one, err := d.render(ctx, before)
	if err != nil {
		return err
	}
	two, err := d.render(ctx, after)
	if err != nil {
		return err
	}
	service, total := changes(one, two, "nova/auth-service")
	fmt.Fprintf(d.out, "%s\n\n%s\n", service, total)

	calls := e.Count("", "")
	again, err := d.render(ctx, after)
	if err != nil {
		return err
	}
	if !bytes.Equal(two, again) {
		return errors.New("the same revision and instant gave different bytes")
	}
	if n := e.Count("", "") - calls; n != 0 {
		return fmt.Errorf("rendering the same instant again made %d ECR calls, want none", n)
	}
	d.say("Rendering the same instant again: the same bytes, and no call to ECR. Rolling back\n" +
		"is setting the earlier instant; nothing was written to git at any time.\n\n" +
		"Every candidate of one service, and why it lost (generate explain --all):")
	return d.all(ctx, after)
}

// history makes the commits and pushes of the week. It returns when the last
// images of Thursday's and Friday's builds were pushed.
func (d *demo) history() (thursday, lastOfFriday time.Time, err error) {
	days := []struct {
		message string
		built   bool
	}{
		{"feat(feed): rank by recency", true},
		{"fix(auth): refresh tokens once", true},
		{"docs: how to rotate keys", false},
		{"feat(search): synonyms", true},
		{"feat(streaming): adaptive bitrate", true},
	}
	for i, day := range days {
		at := monday.AddDate(0, 0, i)
		sha, err := d.world.Commit(at, day.message)
		if err != nil {
			return thursday, lastOfFriday, err
		}
		if !day.built {
			continue
		}
		thursday = lastOfFriday
		if lastOfFriday, err = d.world.Build(sha, at.Add(8*time.Minute)); err != nil {
			return thursday, lastOfFriday, err
		}
	}
	if err := d.world.PushSmoke(monday); err != nil {
		return thursday, lastOfFriday, err
	}
	return thursday, lastOfFriday, d.world.Clutter(friday.Add(time.Hour))
}

func (d *demo) say(text string) { fmt.Fprintf(d.out, "\n%s\n\n", text) }

// command runs generate as Argo CD does: in the application's folder, with
// nothing of this process's environment that could lead to a real account.
func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, d.binary, args...)
	c.Dir = d.world.Overlay("staging")
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.temp}
	for name, value := range d.ecr.Env() {
		c.Env = append(c.Env, name+"="+value)
	}
	return c
}

func (d *demo) render(ctx context.Context, asOf time.Time) ([]byte, error) {
	c := d.command(ctx, "--as-of", stamp(asOf))
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("run generate --as-of %s: %w", stamp(asOf), err)
	}
	return out, nil
}

func (d *demo) show(ctx context.Context, args ...string) error {
	fmt.Fprintf(d.out, "$ generate %s\n", strings.Join(args, " "))
	c := d.command(ctx, args...)
	c.Stdout, c.Stderr = d.out, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("run generate %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// all shows the candidates of the first service only: eight times the same
// commits would hide the point.
func (d *demo) all(ctx context.Context, asOf time.Time) error {
	c := d.command(ctx, "explain", "--all", "--as-of", stamp(asOf))
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("run generate explain --all: %w", err)
	}
	_, candidates, _ := strings.Cut(string(out), "\n\nnova/")
	block, _, _ := strings.Cut(candidates, "\n\n")
	_, err = fmt.Fprintf(d.out, "nova/%s\n", strings.TrimSpace(block))
	return err
}

// changes gives the changed lines that name one image, or its annotation just
// above, and a count of all.
func changes(before, after []byte, name string) (lines, total string) {
	var kept []string
	removed, added := 0, 0
	previous := map[byte]string{}
	for line := range strings.SplitSeq(string(diff.Diff("before", before, "after", after)), "\n") {
		if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "+++") || !strings.ContainsRune("+-", rune(line[0])) {
			continue
		}
		if line[0] == '-' {
			removed++
		} else {
			added++
		}
		if strings.Contains(line, "image: ") && strings.Contains(line, name+":") {
			kept = append(kept, previous[line[0]], line)
		}
		previous[line[0]] = line
	}
	return strings.Join(kept, "\n"), fmt.Sprintf("In all: %d lines removed, %d added, in the eight Deployments and the release ConfigMap.", removed, added)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
