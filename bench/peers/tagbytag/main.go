// Command tagbytag resolves images over the OCI distribution API, as tools do
// that know no registry's own API. It is this project's, not a copy of one of
// them: it makes the calls that they make and nothing else, so that the calls can
// be counted beside generate's. What it leaves out (rate limits, credentials,
// caches of their own) is to its advantage.
//
//	tagbytag newest -registry 127.0.0.1:5000 -tags REGEXP REPOSITORY…
//
// chooses for each repository the image that was built last, as Argo CD Image
// Updater does with its strategy newest-build: list the tags; for each that
// matches get the manifest, of an index also that of the platform, and from it
// the configuration, which holds the build time.
//
//	kustomize build | tagbytag digests -registry 127.0.0.1:5000 -host HOST
//
// puts digests in place of the tags that the manifests name, as kbld, k8s-digester
// and crane digest do: one HEAD for each image. Which tag that is somebody else
// has decided before.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "tagbytag: %s\n", err)
		os.Exit(1)
	}
}

// platform is the only one that is looked at, as most users configure it.
var platform = v1.Platform{OS: "linux", Architecture: "amd64"}

// concurrency is how many tags of one repository are looked at at once.
const concurrency = 20

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: tagbytag newest|digests [flags] [REPOSITORY…]")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	registry := flags.String("registry", "", "host:port of the registry to ask")
	host := flags.String("host", "", "digests: the registry that the manifests name")
	tags := flags.String("tags", ".", "newest: the tags that count")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	puller, err := remote.NewPuller(remote.WithContext(ctx), remote.WithPlatform(platform))
	if err != nil {
		return err
	}
	switch args[0] {
	case "newest":
		re, err := regexp.Compile(*tags)
		if err != nil {
			return err
		}
		return newestOfAll(ctx, puller, *registry, re, flags.Args(), out)
	case "digests":
		return digests(ctx, puller, *registry, *host, in, out)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

func newestOfAll(ctx context.Context, puller *remote.Puller, registry string, tags *regexp.Regexp, repositories []string, out io.Writer) error {
	lines := make([]string, len(repositories))
	failures := make([]error, len(repositories))
	var wg sync.WaitGroup
	for i, r := range repositories {
		wg.Go(func() { lines[i], failures[i] = newest(ctx, puller, registry+"/"+r, tags) })
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

type built struct {
	tag, digest string
	at          time.Time
}

func newest(ctx context.Context, puller *remote.Puller, repository string, tags *regexp.Regexp) (string, error) {
	repo, err := name.NewRepository(repository, name.Insecure)
	if err != nil {
		return "", err
	}
	all, err := puller.List(ctx, repo)
	if err != nil {
		return "", err
	}
	all = slices.DeleteFunc(all, func(tag string) bool { return !tags.MatchString(tag) })
	if len(all) == 0 {
		return "", fmt.Errorf("%s has no tag that matches %s", repository, tags)
	}
	images := make([]built, len(all))
	failures := make([]error, len(all))
	slots := make(chan struct{}, concurrency)
	var wg sync.WaitGroup
	for i, tag := range all {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			images[i], failures[i] = look(ctx, puller, repo.Tag(tag))
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		return "", err
	}
	best := slices.MaxFunc(images, func(a, b built) int { return a.at.Compare(b.at) })
	return fmt.Sprintf("%s:%s@%s", repo.RepositoryStr(), best.tag, best.digest), nil
}

// look gets a tag's manifest, that of the platform, and the configuration.
func look(ctx context.Context, puller *remote.Puller, tag name.Tag) (built, error) {
	d, err := puller.Get(ctx, tag)
	if err != nil {
		return built{}, err
	}
	image, err := d.Image()
	if err != nil {
		return built{}, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return built{}, err
	}
	return built{tag.TagStr(), d.Digest.String(), config.Created.Time}, nil
}

// digests copies manifests and completes the images of one registry.
func digests(ctx context.Context, puller *remote.Puller, registry, host string, in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(bufio.NewReader(in))
	if err != nil {
		return err
	}
	image := regexp.MustCompile(regexp.QuoteMeta(host) + `/([a-z0-9/._-]+):([A-Za-z0-9_.-]+)`)
	found := map[string]string{}
	var mu sync.Mutex
	var failure error
	var wg sync.WaitGroup
	for _, m := range image.FindAllStringSubmatch(string(text), -1) {
		if _, ok := found[m[0]]; ok {
			continue
		}
		found[m[0]] = ""
		wg.Go(func() {
			digest, err := head(ctx, puller, registry+"/"+m[1]+":"+m[2])
			mu.Lock()
			defer mu.Unlock()
			found[m[0]], failure = m[0]+"@"+digest, errors.Join(failure, err)
		})
	}
	wg.Wait()
	if failure != nil {
		return failure
	}
	if len(found) == 0 {
		return fmt.Errorf("the manifests name no image of %s", host)
	}
	_, err = io.WriteString(out, image.ReplaceAllStringFunc(string(text), func(s string) string { return found[s] }))
	return err
}

func head(ctx context.Context, puller *remote.Puller, image string) (string, error) {
	tag, err := name.NewTag(image, name.Insecure)
	if err != nil {
		return "", err
	}
	d, err := puller.Head(ctx, tag)
	if err != nil {
		return "", err
	}
	return d.Digest.String(), nil
}
