package ecremulator_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// login returns what docker login would keep.
func (f *fixture) login(t testing.TB) remote.Option {
	t.Helper()
	out, err := f.client().GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	data := out.AuthorizationData[0]
	if want := f.Now().Add(12 * time.Hour); !data.ExpiresAt.Equal(want) {
		t.Errorf("token expires at %v, want %v", data.ExpiresAt, want)
	}
	plain := must(base64.StdEncoding.DecodeString(*data.AuthorizationToken))
	user, password, _ := strings.Cut(string(plain), ":")
	return remote.WithAuth(&authn.Basic{Username: user, Password: password})
}

// at is the reference of a repository on the server's own host.
func (f *fixture) at(ref string) name.Reference {
	return must(name.ParseReference(strings.TrimPrefix(f.URL, "http://") + "/" + ref))
}

func wantTransport(t testing.TB, err error, status int, code transport.ErrorCode) {
	t.Helper()
	var te *transport.Error
	if !errors.As(err, &te) {
		t.Fatalf("got %v, want status %d", err, status)
	}
	if te.StatusCode != status || code != "" && (len(te.Errors) == 0 || te.Errors[0].Code != code) {
		t.Errorf("got %d %v, want %d %s", te.StatusCode, te.Errors, status, code)
	}
}

func TestPulledImagesAreWhole(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	login := f.login(t)
	single := must(f.repository.Push(ecremulator.DockerImage("single"), "v1"))
	// Without attestations: go-containerregistry validates those as images.
	index := must(f.repository.Push(ecremulator.MultiArch("multi", "linux/amd64", "linux/arm64"), "v2"))
	for _, ref := range []string{":v1", "@" + single} {
		img, err := remote.Image(f.at(repo+ref), login)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(img); err != nil {
			t.Error(err)
		}
	}
	for _, ref := range []string{":v2", "@" + index} {
		idx, err := remote.Index(f.at(repo+ref), login)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(idx); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"v1", "v2"}, must(remote.List(f.at(repo).Context(), login))); diff != "" {
		t.Errorf("tags differ (-want +got):\n%s", diff)
	}
	if d := f.describe(t, byTag("v1")...)[0]; d.LastRecordedPullTime == nil {
		t.Error("the pull is not recorded")
	}
}

func TestPushedImagesAreDescribed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	login := f.login(t)
	img := must(random.Image(2000, 3))
	at := f.clock.Advance(time.Hour)
	if err := remote.Write(f.at(repo+":v1"), img, login); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Hour)
	idx := must(random.Index(500, 1, 2))
	if err := remote.WriteIndex(f.at(repo+":v2"), idx, login); err != nil {
		t.Fatal(err)
	}
	d := f.describe(t, byTag("v1")...)[0]
	if *d.ImageDigest != must(img.Digest()).String() || !d.ImagePushedAt.Equal(at) || *d.ImageSizeInBytes < 6000 {
		t.Errorf("got %s of %v, %d bytes", *d.ImageDigest, d.ImagePushedAt, *d.ImageSizeInBytes)
	}
	if n := f.repository.Len(); n != 4 {
		t.Errorf("%d images, want 4", n)
	}
	if err := remote.Delete(f.at(repo+"@"+must(idx.Digest()).String()), login); err != nil {
		t.Error(err)
	}
	if n := f.repository.Len(); n != 3 {
		t.Errorf("%d images are left, want 3", n)
	}
}

func TestReferrersAreListed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	image := ecremulator.OCIImage("one")
	must(f.repository.Push(image, "v1"))
	must(f.repository.Push(ecremulator.Referrer(image, ecremulator.ArtifactSPDX, []byte("{}"))))
	must(f.repository.Push(ecremulator.Referrer(image, ecremulator.ArtifactInToto, []byte("{}"))))
	idx, err := remote.Referrers(f.at(repo+"@"+image.Digest()).Context().Digest(image.Digest()), f.login(t))
	if err != nil {
		t.Fatal(err)
	}
	m := must(idx.IndexManifest())
	got := map[string]bool{}
	for _, d := range m.Manifests {
		got[d.ArtifactType] = true
	}
	if diff := cmp.Diff(map[string]bool{ecremulator.ArtifactSPDX: true, ecremulator.ArtifactInToto: true}, got); diff != "" {
		t.Errorf("referrers differ (-want +got):\n%s", diff)
	}
}

func TestTheRegistryRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	login := f.login(t)
	img := must(random.Image(100, 1))
	fixed := must(f.registry.CreateRepository("fixed", ecremulator.WithImmutableTags()))
	must(fixed.Push(ecremulator.OCIImage("one"), "v1"))

	wantTransport(t, remote.Write(f.at("nova/none:v1"), img, login), http.StatusNotFound, transport.NameUnknownErrorCode)
	wantTransport(t, remote.Write(f.at("fixed:v1"), img, login), http.StatusBadRequest, transport.TagInvalidErrorCode)
	_, err := remote.Get(f.at(repo+":none"), login)
	wantTransport(t, err, http.StatusNotFound, transport.ManifestUnknownErrorCode)
	_, err = remote.Get(f.at("fixed:v1"))
	wantTransport(t, err, http.StatusUnauthorized, "")
	_, err = remote.Get(f.at("fixed:v1"), remote.WithAuth(&authn.Basic{Username: "AWS", Password: "nope"}))
	wantTransport(t, err, http.StatusUnauthorized, "")

	lift := f.Deny(ecremulator.Denial{Operation: "BatchGetImage", Repository: "fixed"})
	_, err = remote.Get(f.at("fixed:v1"), login)
	wantTransport(t, err, http.StatusForbidden, transport.DeniedErrorCode)
	lift()

	f.clock.Advance(12 * time.Hour)
	_, err = remote.Get(f.at("fixed:v1"), login)
	wantTransport(t, err, http.StatusForbidden, transport.DeniedErrorCode)
}

func TestARegistryIsFoundByItsHost(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ecremulator.WithAnonymousPull())
	other := must(f.CreateRegistry("444455556666", "eu-west-1"))
	digest := must(must(other.CreateRepository("app")).Push(ecremulator.OCIImage("x"), "v1"))
	get := func(host, query string) *http.Response {
		req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, f.URL+"/v2/app/manifests/v1"+query, nil))
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	for _, res := range []*http.Response{get(other.Host(), ""), get("", "?ns="+other.Host())} {
		if got := res.Header.Get("Docker-Content-Digest"); got != digest {
			t.Errorf("got %d and %q, want %q", res.StatusCode, got, digest)
		}
	}
	if res := get("", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("the first registry answered %d for another's repository", res.StatusCode)
	}
	// Docker's daemon asks here whether it needs its password, and never sends it otherwise.
	ping, err := http.Get(f.URL + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	_ = ping.Body.Close()
	if ping.StatusCode != http.StatusUnauthorized {
		t.Errorf("/v2/ answered %d, want a challenge", ping.StatusCode)
	}
	// Anonymous is for pulls only.
	if err := remote.Write(f.at(repo+":v1"), must(random.Image(10, 1))); err == nil {
		t.Error("an anonymous push went through")
	}
}

func TestFaultsReachTheRegistryToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	login := f.login(t)
	must(f.repository.Push(ecremulator.OCIImage("one"), "v1"))
	f.Inject(ecremulator.Fault{Kind: ecremulator.Throttle, Op: "GetManifest", Times: 1})
	_, err := remote.Get(f.at(repo+":v1"), login, remote.WithRetryStatusCodes())
	wantTransport(t, err, http.StatusTooManyRequests, transport.TooManyRequestsErrorCode)
	f.Inject(ecremulator.Fault{Kind: ecremulator.CutBody, Op: "Blob"})
	img := must(remote.Image(f.at(repo+":v1"), login))
	if err := validate.Image(img); err == nil {
		t.Error("a layer that was cut off is taken as whole")
	}
}
