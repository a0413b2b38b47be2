package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/e2e/pages"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/motoaccount"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

// second is one world, in this project's emulator of ECR and in moto's.
type second struct {
	world   *novaworld.World
	ours    *ecremulator.Server
	account *motoaccount.Account
	moto    *ecr.Client
	last    string // commit, built for all services but one
}

func newSecond(t *testing.T) *second {
	t.Helper()
	s := &second{account: motoaccount.Start(t), ours: ecremulator.Start(t)}
	var err error
	if s.world, err = novaworld.Create(filepath.Join(t.TempDir(), "nova"), filepath.Join("..", "..", "manifests"), s.ours.Emulator, monday.Add(-day)); err != nil {
		t.Fatal(err)
	}
	n := len(novaworld.Services)
	first := ecremulator.Must(s.world.Commit(monday, "feat: first"))
	at := ecremulator.Must(s.world.Build(first, monday.Add(time.Hour)))
	s.last = ecremulator.Must(s.world.Commit(monday.Add(day), "feat: last"))
	ecremulator.Must(s.world.Build(s.last, monday.Add(day+time.Hour), novaworld.Services[:n-1]...))
	if err := errors.Join(s.world.PushSmoke(monday), s.world.Release(first, "1.4.0"), s.world.Clutter(at)); err != nil {
		t.Fatal(err)
	}
	s.moto = client(t, s.account.SDK(motoaccount.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"})...)
	c := s.ours.Credentials()
	ours := client(t, config.WithBaseEndpoint(s.ours.URL), config.WithRegion(novaworld.Region),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)))
	for _, name := range append(novaworld.Repositories(), novaworld.Smoke) {
		copyRepository(t, ours, s.moto, name)
	}
	return s
}

func client(t *testing.T, options ...func(*config.LoadOptions) error) *ecr.Client {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), append(options, config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}))...)
	if err != nil {
		t.Fatal(err)
	}
	return ecr.NewFromConfig(cfg)
}

// copyRepository puts every image of a repository into another registry, in the
// order in which they were pushed, as PutImage takes them.
func copyRepository(t *testing.T, from, to *ecr.Client, name string) {
	t.Helper()
	if _, err := to.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &name}); err != nil {
		t.Fatal(err)
	}
	var details []types.ImageDetail
	for pages := ecr.NewDescribeImagesPaginator(from, &ecr.DescribeImagesInput{RepositoryName: &name}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		details = append(details, page.ImageDetails...)
	}
	slices.SortStableFunc(details, func(a, b types.ImageDetail) int { return a.ImagePushedAt.Compare(*b.ImagePushedAt) })
	for _, d := range details {
		out, err := from.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{
			RepositoryName: &name, ImageIds: []types.ImageIdentifier{{ImageDigest: d.ImageDigest}},
			AcceptedMediaTypes: []string{*d.ImageManifestMediaType},
		})
		if err != nil || len(out.Images) == 0 {
			t.Fatalf("get %s@%s: %v %v", name, *d.ImageDigest, err, out)
		}
		tags := []*string{nil}
		if len(d.ImageTags) > 0 {
			// To BatchGetImage moto answers with the tag that was put last, ECR with
			// the one that was asked for: commits last, which are asked for.
			slices.SortStableFunc(d.ImageTags, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
			tags = aws.StringSlice(d.ImageTags)
		}
		for _, tag := range tags {
			// moto makes up a digest unless it is told; ECR computes it.
			if _, err := to.PutImage(t.Context(), &ecr.PutImageInput{
				RepositoryName: &name, ImageManifest: out.Images[0].ImageManifest, ImageTag: tag,
				ImageManifestMediaType: d.ImageManifestMediaType, ImageDigest: d.ImageDigest,
			}); err != nil {
				t.Fatalf("put %s@%s: %v", name, *d.ImageDigest, err)
			}
		}
	}
}

// result of a run of the program.
type result struct {
	status         int
	stdout, stderr string
}

func execute(t *testing.T, env []string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "generate", args...)
	cmd.Env = env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// both runs the program against the emulator and against moto.
func (s *second) both(t *testing.T, args ...string) (ours, motos result) {
	t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=20"}
	for _, name := range slices.Sorted(maps.Keys(s.ours.Env())) {
		env = append(env, name+"="+s.ours.Env()[name])
	}
	args = append(args, "--as-of", time.Now().UTC().Format(time.RFC3339), "--no-cache")
	return execute(t, env, args...), execute(t, s.account.Env(), args...)
}

// chosen is what explain says of images, without the times: moto's images were
// all pushed just now.
func chosen(t *testing.T, r result) []map[string]string {
	t.Helper()
	var out struct {
		Images []map[string]any `json:"images"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || len(out.Images) == 0 {
		t.Fatalf("exit status %d: %s\n%s", r.status, r.stderr, r.stdout)
	}
	var all []map[string]string
	for _, i := range out.Images {
		one := map[string]string{}
		for _, key := range []string{"name", "tag", "digest", "commit", "policy"} {
			if v, ok := i[key].(string); ok {
				one[key] = v
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b map[string]string) int { return cmp.Compare(a["name"], b["name"]) })
	return all
}

// timed is what depends on when images were pushed, all of moto's in one second.
var timed = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z|; nearest: .*`)

// TestGenerateOnAnAccountThatIsNotOurs asks an emulation of ECR that others wrote.
// It has no pages of DescribeImages, whose 1,000 images a page the tests of
// plugin/ecr look at.
func TestGenerateOnAnAccountThatIsNotOurs(t *testing.T) {
	s := newSecond(t)
	for _, overlay := range []string{"staging", "dev", "prod"} {
		t.Run("the images of "+overlay+" are the same", func(t *testing.T) {
			ours, motos := s.both(t, "explain", "-o", "json", "--revision", s.last, s.world.Overlay(overlay))
			want, got := chosen(t, ours), chosen(t, motos)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("images (-emulator +moto):\n%s", diff)
			}
			for _, i := range got {
				if i["tag"] == "" || i["digest"] == "" {
					t.Errorf("%s has no tag or no digest", i["name"])
				}
			}
		})
	}
	t.Run("so are the manifests", func(t *testing.T) {
		ours, motos := s.both(t, "--revision", s.last, s.world.Overlay("staging"))
		if ours.status != 0 || len(ours.stdout) < 1000 {
			t.Fatalf("exit status %d: %s", ours.status, ours.stderr)
		}
		if diff := gocmp.Diff(timed.ReplaceAllString(ours.stdout, "T"), timed.ReplaceAllString(motos.stdout, "T")); diff != "" {
			t.Errorf("exit status %d: %s\nmanifests (-emulator +moto):\n%s", motos.status, motos.stderr, diff)
		}
	})
	t.Run("one image", s.oneByOne)
	t.Run("a tag that has moved", s.movedTag)
	t.Run("the role of the README is what it needs", func(t *testing.T) {
		s.rights(t, shownPolicy(t, "README.md"), s.world.Overlay("staging"))
	})
	t.Run("a role that wants an external ID", s.externalID)
	t.Run("the scan gate needs one action more", s.scanGate)
}

// oneByOne has both answer to what a policy may meet, found or not, in the same words.
func (s *second) oneByOne(t *testing.T) {
	host := s.world.Registry.Host() + "/"
	for _, tt := range []struct {
		name, image, policy string
		status              int
		says                string // in what is written
	}{
		{"a commit's image", "nova/auth-service", "commit: {}", 0, s.last},
		{"a commit without an image, and the one before", "nova/streaming-service", "commit: {}", 0, "@sha256:"},
		{"no image within the depth", "nova/streaming-service", "commit: {depth: 1}", 6, "no image satisfies the policy"},
		{"a version", "nova/auth-service", `semver: {range: "1.x"}`, 0, ":1.4.0@sha256:"},
		{"no version in the range", "nova/auth-service", `semver: {range: "2.x"}`, 6, "no image satisfies the policy"},
		{"no tag of that form", "nova/auth-service", "newest: {tags: '^v'}", 6, "no image satisfies the policy"},
		{"a tag that moves", "nova/auth-service", "tag: {name: dev-latest}", 0, ":dev-latest@sha256:"},
		{"a tag that is absent", "nova/auth-service", "tag: {name: nightly}", 6, "nightly"},
		{"a tag of a build cache", "nova/auth-service", "tag: {name: buildcache}", 6, "buildcache"},
		{"a repository that is absent, by commit", "nova/nowhere-service", "commit: {}", 6, "repository not found"},
		{"a repository that is absent, by time", "nova/nowhere-service", "newest: {tags: '^v'}", 6, "repository not found"},
		{"a repository that is absent, by tag", "nova/nowhere-service", "tag: {name: latest}", 6, "repository not found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours, motos := s.both(t, "--revision", s.last, s.one(t, host+tt.image, tt.policy))
			for _, r := range []*result{&ours, &motos} {
				r.stdout, r.stderr = timed.ReplaceAllString(r.stdout, "T"), timed.ReplaceAllString(r.stderr, "T")
			}
			if motos.status != tt.status || !strings.Contains(motos.stdout+motos.stderr, tt.says) {
				t.Errorf("exit status %d, want %d, and %q in\n%s%s", motos.status, tt.status, tt.says, motos.stdout, motos.stderr)
			}
			if diff := gocmp.Diff(ours, motos, gocmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("-emulator +moto:\n%s", diff)
			}
		})
	}
}

// movedTag pushes another image over dev-latest.
func (s *second) movedTag(t *testing.T) {
	dir := s.one(t, s.world.Registry.Host()+"/nova/user-service", "tag: {name: dev-latest}")
	_, before := s.both(t, dir)
	image := ecremulator.OCIImage("the tag has moved")
	put(t, s.moto, "nova/user-service", image, "dev-latest")
	_, after := s.both(t, dir)
	if want := ":dev-latest@" + image.Digest(); strings.Contains(before.stdout, want) || !strings.Contains(after.stdout, want) {
		t.Errorf("exit status %d: %s\nwant %s in\n%s", after.status, after.stderr, want, after.stdout)
	}
}

// rights holds a policy to what a render of dir needs.
func (s *second) rights(t *testing.T, p motoaccount.Policy, dir string) {
	t.Helper()
	s.account.Rights(t, "reader", p, func(t *testing.T, c motoaccount.Credentials) motoaccount.Run {
		r := execute(t, s.account.EnvFor(c), "--revision", s.last, "--no-cache", dir)
		return motoaccount.Run{OK: r.status == 0 && strings.Contains(r.stdout, "@sha256:"), Said: r.stderr}
	})
}

// externalID reads through a role that only those may assume who name its external
// ID. moto also lets in who names none.
func (s *second) externalID(t *testing.T) {
	s.account.Role(t, "reader", shownPolicy(t, "README.md"))
	arn := s.account.TrustWith(t, "reader", "agreed")
	assume := ecremulator.Must(motoaccount.ParsePolicy(`{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "` + arn + `"}`))
	caller, stranger := s.account.Role(t, "caller", assume), s.account.Role(t, "stranger", assume.Without("sts:AssumeRole"))
	dir := s.one(t, s.world.Registry.Host()+"/nova/auth-service", "commit: {}")
	defer s.account.Enforce(t)()
	for _, tt := range []struct {
		name   string
		who    motoaccount.Credentials
		option string
		status int
		says   string
	}{
		{"the right one", caller, ",external-id=agreed", 0, ":" + s.last + "@sha256:"},
		{"another one", caller, ",external-id=guessed", 7, "role " + arn + " could not be assumed: AssumeRole: AccessDenied"},
		{"a caller who may not assume it", stranger, ",external-id=agreed", 7, "is not authorized to perform: sts:AssumeRole"},
		{"without the role", caller, "-", 7, "is not authorized to perform: ecr:BatchGetImage"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"--no-cache", "--revision", s.last, dir}
			if tt.option != "-" {
				args = append(args, "--assume-role", "*.amazonaws.com="+arn+tt.option)
			}
			r := execute(t, s.account.EnvFor(tt.who), args...)
			if r.status != tt.status || !strings.Contains(r.stdout+r.stderr, tt.says) || r.status != 0 && r.stdout != "" {
				t.Errorf("exit status %d, want %d, and %q in\n%s%s", r.status, tt.status, tt.says, r.stdout, r.stderr)
			}
			for _, secret := range []string{tt.who.SecretAccessKey, tt.who.SessionToken} {
				if strings.Contains(r.stderr, secret) {
					t.Errorf("it says a secret: %s", r.stderr)
				}
			}
		})
	}
}

// shownPolicy is the policy that a page shows in JSON.
func shownPolicy(t *testing.T, name string) motoaccount.Policy {
	t.Helper()
	page, err := pages.Read(filepath.Join("..", ".."), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range page.Blocks {
		if b.Kind == "json" && strings.Contains(b.Text, `"ecr:BatchGetImage"`) {
			return ecremulator.Must(motoaccount.ParsePolicy(b.Text))
		}
	}
	t.Fatalf("%s shows no policy for ECR", name)
	return motoaccount.Policy{}
}

// scanGate lets moto scan what is chosen. It finds one HIGH in every image.
func (s *second) scanGate(t *testing.T) {
	const name = "nova/streaming-service"
	image := ecremulator.OCIImage("scanned")
	put(t, s.moto, name, image, s.last)
	if _, err := s.moto.StartImageScan(t.Context(), &ecr.StartImageScanInput{
		RepositoryName: aws.String(name), ImageId: &types.ImageIdentifier{ImageDigest: aws.String(image.Digest())},
	}); err != nil {
		t.Fatal(err)
	}
	host := s.world.Registry.Host() + "/"
	s.rights(t, shownPolicy(t, "docs/scan-gate.md"), s.one(t, host+name, "commit: {}\n  scan: {refuse: critical}"))
	_, r := s.both(t, "--revision", s.last, s.one(t, host+name, "commit: {}\n  scan: {refuse: high}"))
	if r.status != 9 || r.stdout != "" || !strings.Contains(r.stderr, "scan: 1 HIGH: high and worse is refused") {
		t.Errorf("exit status %d, want 9 and the finding: %s", r.status, r.stderr)
	}
}

// put pushes an image by PutImage.
func put(t *testing.T, to *ecr.Client, name string, image ecremulator.Content, tag string) {
	t.Helper()
	if _, err := to.PutImage(t.Context(), &ecr.PutImageInput{
		RepositoryName: &name, ImageManifest: aws.String(string(image.Manifest())), ImageTag: &tag,
		ImageManifestMediaType: aws.String(image.MediaType()), ImageDigest: aws.String(image.Digest()),
	}); err != nil {
		t.Fatal(err)
	}
}

// one is a folder with a kustomization of one image and the policy for it.
func (s *second) one(t *testing.T, image, policy string) string {
	t.Helper()
	dir := filepath.Join(s.world.Root, "manifests", filepath.Base(t.Name()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [pod.yaml]\n",
		"pod.yaml":           "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: one, image: " + image + "}]}\n",
		"images.yaml":        "apiVersion: staging.nova/v1alpha1\nkind: ImagePolicy\nimages:\n- match: " + image + "\n  " + policy + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
