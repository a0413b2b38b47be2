package ecr

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestFindAsksOnceForAllTagsAndLeavesOutThoseThatDoNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digests := w.push(3)
	found, err := w.client(t).Find(t.Context(), auth, []string{"t2", "none", "t0"})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found["t0"].Digest != digests[0] || found["t2"].Digest != digests[2] {
		t.Errorf("found %v", found)
	}
	if m := found["t0"]; m.Body != string(ecremulator.OCIImage("0").Manifest()) || m.MediaType != mediaOCIManifest {
		t.Errorf("manifest is %+v", m)
	}
	w.wantCalls(t, "", "", 1)
}

func TestFindGivesTwoTagsOfOneManifest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.push(1)[0]
	must(0, w.repository.Tag(digest, "again"))
	found, err := w.client(t).Find(t.Context(), auth, []string{"t0", "again"})
	if err != nil || len(found) != 2 || found["t0"].Digest != digest || found["again"].Digest != digest {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestFindFindsNothingInAnEmptyRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	found, err := w.client(t).Find(t.Context(), auth, []string{"t0", "t1"})
	if err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

// One archived image far back in history must not hide the newer ones.
func TestFindGivesAnArchivedImageAsOneThatCanNotBePulled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digests := w.push(2)
	must(0, w.repository.SetStatus(digests[0], ecremulator.StatusArchived))
	client := w.client(t)
	found, err := client.Find(t.Context(), auth, []string{"t0", "t1"})
	if err != nil {
		t.Fatal(err)
	}
	if why := found["t0"].NotImage(); !strings.Contains(why, "archived") {
		t.Errorf("archived image is not one because %q", why)
	}
	if why := found["t1"].NotImage(); why != "" || found["t1"].Digest != digests[1] {
		t.Errorf("active image %s is not one because %q", found["t1"].Digest, why)
	}
	m, err := client.Manifest(t.Context(), auth, digests[0])
	if err != nil || m.Digest != digests[0] || !strings.Contains(m.NotImage(), "archived") {
		t.Errorf("manifest is %+v, %v", m, err)
	}
	_, err = client.DescribeTag(t.Context(), auth, "t0")
	wantError(t, err, ErrImageNotFound, `no active image has tag "t0"`)
	listed := 0
	if err := client.List(t.Context(), auth, func(images []Image) error { listed += len(images); return nil }); err != nil || listed != 1 {
		t.Errorf("listed %d images, %v; want the active one", listed, err)
	}
}

func TestCallsTakeBetweenOneAndAHundredImages(t *testing.T) {
	t.Parallel()
	client := newWorld(t).client(t)
	for _, n := range []int{0, MaxBatch + 1} {
		ids := make([]string, n)
		if _, err := client.Describe(t.Context(), auth, ids); err == nil || !strings.Contains(err.Error(), "1 to 100 images, not") {
			t.Errorf("Describe of %d: %v", n, err)
		}
		if _, err := client.Find(t.Context(), auth, ids); n > 0 && (err == nil || !strings.Contains(err.Error(), "1 to 100 images, not")) {
			t.Errorf("Find of %d: %v", n, err)
		}
	}
	if found, err := client.Find(t.Context(), auth, nil); err != nil || len(found) != 0 {
		t.Errorf("Find of nothing: %v, %v", found, err)
	}
}

func TestManifestByDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.push(1)[0]
	m, err := w.client(t).Manifest(t.Context(), auth, digest)
	if err != nil || m.Digest != digest || m.Body == "" {
		t.Errorf("manifest is %+v, %v", m, err)
	}
	_, err = w.client(t).Manifest(t.Context(), auth, digestOf("a"))
	wantError(t, err, ErrImageNotFound, digestOf("a"), host+"/"+name)
}

func TestDescribeGivesWhatECRKnows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digests := w.push(2)
	must(0, w.repository.Tag(digests[1], "release"))
	images, err := w.client(t).Describe(t.Context(), auth, digests)
	if err != nil {
		t.Fatal(err)
	}
	i := images[digests[1]]
	slices.Sort(i.Tags)
	want := Image{
		Digest: digests[1], Tags: []string{"release", "t1"}, PushedAt: noon.Add(time.Minute),
		MediaType: mediaOCIManifest, ArtifactType: mediaOCIConfig, Status: "ACTIVE",
	}
	if fmt.Sprint(i) != fmt.Sprint(want) || i.PushedAt.Location() != time.UTC {
		t.Errorf("got  %+v\nwant %+v", i, want)
	}
	if len(images) != 2 {
		t.Errorf("%d images", len(images))
	}
}

func TestDescribeFailsWhenAnImageWasDeletedSinceItWasFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digests := w.push(2)
	client := w.client(t)
	if _, err := client.Find(t.Context(), auth, []string{"t0", "t1"}); err != nil {
		t.Fatal(err)
	}
	must(0, w.repository.Delete(digests[0]))
	images, err := client.Describe(t.Context(), auth, digests)
	wantError(t, err, ErrImageNotFound, "DescribeImages on "+host+"/"+name)
	if images != nil {
		t.Errorf("part of the images beside an error: %v", images)
	}
}

func TestDescribeTagFollowsATagThatMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digests := w.push(2)
	client := w.client(t)
	for _, digest := range digests {
		must(0, w.repository.Tag(digest, "dev-latest"))
		image, err := client.DescribeTag(t.Context(), auth, "dev-latest")
		if err != nil || image.Digest != digest {
			t.Errorf("tag leads to %s, %v; want %s", image.Digest, err, digest)
		}
	}
	_, err := client.DescribeTag(t.Context(), auth, "none")
	wantError(t, err, ErrImageNotFound)
}

func TestListGivesEveryTaggedImageOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ images, limit, calls int }{
		"an empty repository":                 {0, 0, 1},
		"one page":                            {7, 0, 1},
		"exactly a page":                      {1000, 0, 1},
		"one more than a page":                {1001, 0, 2},
		"a registry that pages as it likes":   {7, 2, 4},
		"a registry that gives one at a time": {3, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.SetPageLimit(c.limit)
			must(0, w.repository.SeedImages(c.images, func(i int) (string, time.Time) { return fmt.Sprintf("t%d", i), noon }))
			must(w.repository.Push(ecremulator.OCIImage("untagged")))
			seen := map[string]bool{}
			err := w.client(t).List(t.Context(), auth, func(images []Image) error {
				for _, i := range images {
					if len(i.Tags) != 1 || seen[i.Tags[0]] {
						t.Errorf("tags %v, again or none", i.Tags)
						continue
					}
					seen[i.Tags[0]] = true
				}
				return nil
			})
			if err != nil || len(seen) != c.images {
				t.Errorf("listed %d images, %v; want %d", len(seen), err, c.images)
			}
			w.wantCalls(t, "DescribeImages", auth.Name, c.calls)
		})
	}
}

func TestListGoesOnAfterAnEmptyPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetPageLimit(2)
	w.push(5)
	w.Inject(ecremulator.Fault{Kind: ecremulator.EmptyPage, After: 1, Times: 2})
	n := 0
	if err := w.client(t).List(t.Context(), auth, func(images []Image) error { n += len(images); return nil }); err != nil || n != 5 {
		t.Errorf("listed %d images, %v; want 5", n, err)
	}
}

func TestListEndsWhenItMakesNoProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetPageLimit(2)
	w.push(5)
	w.Inject(ecremulator.Fault{Kind: ecremulator.EmptyPage, After: 1})
	err := w.client(t).List(t.Context(), auth, func([]Image) error { return nil })
	wantError(t, err, ErrResponse, "the same page was offered twice")
	w.wantCalls(t, "", "", 2+maxStalled)
}

func TestListEndsWithItsReadersError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetPageLimit(1)
	w.push(3)
	enough := errors.New("enough")
	if err := w.client(t).List(t.Context(), auth, func([]Image) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error is %v", err)
	}
	w.wantCalls(t, "", "", 1)
}

func TestAskedForTheRegistryThatTheNameLeadsTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecremulator.WithOpenAccess())
	other := must(w.CreateRegistry("111122223333", "eu-west-1"))
	digest := must(must(other.CreateRepository("team/app")).Push(ecremulator.OCIImage("x"), "v1"))
	repo := must(ParseRepository("111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app"))
	image, err := w.client(t).DescribeTag(t.Context(), repo, "v1")
	if err != nil || image.Digest != digest {
		t.Fatalf("got %v, %v", image, err)
	}
	w.wantCalls(t, "", "", 1)
	call := w.Calls()[0]
	if call.Account != "111122223333" || call.Region != "eu-west-1" || call.Repository != "team/app" {
		t.Errorf("asked %+v", call)
	}
}

func TestClockIsTheEarliestTimeByECRsOwnClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.push(1)
	client := w.client(t)
	for name, skew := range map[string]time.Duration{"right": 0, "late": -2 * time.Minute, "early": 2 * time.Minute} {
		w.SetClockSkew(skew)
		var clock Clock
		ctx := WithClock(t.Context(), &clock)
		if !clock.Min().IsZero() {
			t.Errorf("%s: shows %s before any answer", name, clock.Min())
		}
		before := time.Now().Add(skew)
		for op, call := range operations {
			if err := call(ctx, client, must(w.repository.Image("t0")).Digest); err != nil {
				t.Errorf("%s: %v", op, err)
			}
		}
		// Dates have whole seconds, and the time that the call took is taken off.
		if min := clock.Min(); min.After(before.Add(5*time.Second)) || min.Before(before.Add(-15*time.Second)) {
			t.Errorf("%s: clock shows %s, asked at %s", name, min, before)
		}
	}
}

// A call may be answered long after others.
func TestClockIsTheEarliestOfItsTimes(t *testing.T) {
	t.Parallel()
	var clock Clock
	for _, minutes := range []int{2, 1, 3} {
		clock.See(noon.Add(time.Duration(minutes) * time.Minute))
	}
	if want := noon.Add(time.Minute); !clock.Min().Equal(want) {
		t.Errorf("clock shows %s, want %s", clock.Min(), want)
	}
}

// An answer's Date is that of its end. What was pushed while ECR was still
// working on it may be missing although it was pushed before that.
func TestClockShowsWhenECRWasAskedNotWhenItAnswered(t *testing.T) {
	t.Parallel()
	const slow = 60 * time.Millisecond
	var date atomic.Int64
	client := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(slow)
		date.Store(time.Now().Add(time.Hour).Unix())
		w.Header().Set("Date", time.Unix(date.Load(), 0).UTC().Format(http.TimeFormat))
		fmt.Fprint(w, `{"imageDetails":[]}`)
	})
	var clock Clock
	if err := client.List(WithClock(t.Context(), &clock), auth, func([]Image) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if late := time.Unix(date.Load(), 0).Sub(clock.Min()); late < slow || late > 10*time.Second {
		t.Errorf("clock shows %s before the answer's Date, want at least the %s that the call took", late, slow)
	}
}

// A registry may leave the Date away.
func TestClockIsOursWhenTheAnswerHasNoDate(t *testing.T) {
	t.Parallel()
	client := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		fmt.Fprint(w, `{"imageDetails":[]}`)
	})
	var clock Clock
	before := time.Now()
	if err := client.List(WithClock(t.Context(), &clock), auth, func([]Image) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if min := clock.Min(); min.Before(before) || min.After(time.Now()) {
		t.Errorf("clock shows %s, asked at %s", min, before)
	}
}
