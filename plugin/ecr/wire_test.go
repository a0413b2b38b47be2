package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What a registry must not say, and the emulator does not.
func TestAnswersThatContradictTheQuestionAreRefused(t *testing.T) {
	t.Parallel()
	digest := digestOf("a")
	image := func(tag, digest string) string {
		return fmt.Sprintf(`{"images":[{"imageId":{"imageTag":%q,"imageDigest":%q},"imageManifest":"{}"}],"failures":[]}`, tag, digest)
	}
	detail := func(rest string) string {
		return fmt.Sprintf(`{"imageDetails":[{"imageDigest":%q,"imageTags":["t0"]%s}]}`, digest, rest)
	}
	for name, c := range map[string]struct {
		answer string
		call   string
		want   string
	}{
		"Find is answered with a tag that was not asked for":  {image("other", digest), "Find", "without the tag that was asked for"},
		"Find is answered without a tag":                      {image("", digest), "Find", "without the tag that was asked for"},
		"Find is answered without a digest":                   {image("t0", ""), "Find", "without a valid digest"},
		"Find is answered with half a digest":                 {image("t0", "sha256:aa"), "Find", "without a valid digest"},
		"Find is answered without an id":                      {`{"images":[{"imageManifest":"{}"}],"failures":[]}`, "Find", "without the tag"},
		"Find is answered with nothing about the tag":         {`{"images":[],"failures":[]}`, "Find", "nothing is said about 1 of 1 tags"},
		"Find is answered with a failure of another tag":      {`{"images":[],"failures":[{"imageId":{"imageTag":"x"},"failureCode":"ImageNotFound"}]}`, "Find", "nothing is said about"},
		"Find is answered with a failure of no tag":           {`{"images":[],"failures":[{"failureCode":"ImageNotFound"}]}`, "Find", "nothing is said about"},
		"Find is answered with an empty object":               {`{}`, "Find", "lacks the lists"},
		"Find is answered with lists that are null":           {`{"images":null,"failures":null}`, "Find", "lacks the lists"},
		"Find fails for a reason other than absence":          {`{"images":[],"failures":[{"imageId":{"imageTag":"t0"},"failureCode":"InvalidImageTag","failureReason":"bad"}]}`, "Find", "t0 failed with InvalidImageTag: bad"},
		"Find gives one tag two digests":                      {strings.Replace(image("t0", digest), `}],"failures"`, fmt.Sprintf(`},{"imageId":{"imageTag":"t0","imageDigest":%q}}],"failures"`, digestOf("b")), 1), "Find", "tag t0 has two digests"},
		"Manifest is answered with another image":             {image("", digestOf("b")), "Manifest", "another image than"},
		"Manifest is answered with nothing":                   {`{"images":[],"failures":[]}`, "Manifest", "nothing is said about"},
		"Manifest is answered with an empty object":           {`{}`, "Manifest", "lacks the lists"},
		"Describe is answered with an empty object":           {`{}`, "Describe", "lacks the lists"},
		"Describe is answered without a push time":            {detail(``), "Describe", "without a valid digest or a push time"},
		"Describe is answered with a push time that is null":  {detail(`,"imagePushedAt":null`), "Describe", "without a valid digest or a push time"},
		"Describe is answered with a push time in words":      {detail(`,"imagePushedAt":"yesterday"`), "Describe", ""},
		"Describe is answered without a digest":               {`{"imageDetails":[{"imagePushedAt":1}]}`, "Describe", "without a valid digest"},
		"DescribeTag is answered with an image that lacks it": {strings.Replace(detail(`,"imagePushedAt":1`), "t0", "t1", 1), "DescribeTag", `asked for tag "t0"`},
		"DescribeTag is answered with two images":             {detail(fmt.Sprintf(`,"imagePushedAt":1},{"imageDigest":%q,"imageTags":["t0"],"imagePushedAt":2`, digestOf("b"))), "DescribeTag", "answered 2 images"},
		"DescribeTag is answered without tags":                {fmt.Sprintf(`{"imageDetails":[{"imageDigest":%q,"imagePushedAt":1}]}`, digest), "DescribeTag", `asked for tag "t0"`},
		"List is answered with an empty object":               {`{}`, "List", "lacks the lists"},
		"List is answered with a list that is null":           {`{"imageDetails":null}`, "List", "lacks the lists"},
		"List is answered without a push time":                {detail(``), "List", "without a valid digest or a push time"},
		"List is answered with an array":                      {`[]`, "List", ""},
		"List is answered with a list of words":               {`{"imageDetails":["x"]}`, "List", ""},
		"List is answered with a mapping for a list":          {`{"imageDetails":{}}`, "List", ""},
		"List is answered with null":                          {`null`, "List", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := operations[c.call](t.Context(), answering(t, c.answer), digest)
			wantError(t, err, ErrResponse, c.want, host+"/nova/auth-service")
		})
	}
}

// A registry may leave a list away that would be empty.
func TestATagThatDoesNotExistBesideNoImages(t *testing.T) {
	t.Parallel()
	client := answering(t, `{"failures":[{"imageId":{"imageTag":"t0"},"failureCode":"ImageNotFound"}]}`)
	if found, err := client.Find(t.Context(), auth, []string{"t0"}); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestFailuresOfOneImageThatAreNotAboutTheImage(t *testing.T) {
	t.Parallel()
	for code, kind := range map[string]error{
		"KmsError": ErrDenied, "UpstreamAccessDenied": ErrDenied,
		"UpstreamTooManyRequests": ErrUnavailable, "UpstreamUnavailable": ErrUnavailable,
		"MissingDigestAndTag": ErrResponse, "SomethingNew": ErrResponse,
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			client := answering(t, fmt.Sprintf(`{"images":[],"failures":[{"imageId":{"imageTag":"t0"},"failureCode":%q,"failureReason":"for\na reason"}]}`, code))
			_, err := client.Find(t.Context(), auth, []string{"t0"})
			wantError(t, err, kind, "t0 failed with "+code+": for a reason")
		})
	}
}

func TestADescribedImageThatIsMissingFromTheAnswer(t *testing.T) {
	t.Parallel()
	client := answering(t, fmt.Sprintf(`{"imageDetails":[{"imageDigest":%q,"imagePushedAt":1}]}`, digestOf("b")))
	_, err := client.Describe(t.Context(), auth, []string{digestOf("a")})
	wantError(t, err, ErrImageNotFound, digestOf("a")+" is missing from the answer")
}

// ECR may answer two tags of one manifest as one image.
func TestATagThatIsNotAnsweredIsAskedForAgain(t *testing.T) {
	t.Parallel()
	one := `{"images":[{"imageId":{"imageTag":%q,"imageDigest":%q},"imageManifest":"{}"}],"failures":[]}`
	client := answering(t, fmt.Sprintf(one, "t0", digestOf("a")), fmt.Sprintf(one, "t1", digestOf("a")))
	found, err := client.Find(t.Context(), auth, []string{"t0", "t1"})
	if err != nil || len(found) != 2 || found["t1"].Digest != digestOf("a") {
		t.Errorf("found %v, %v", found, err)
	}
}

// Wherever an answer is cut off, it must not pass for a shorter list.
func TestNoPartOfAnAnswerPassesForTheWhole(t *testing.T) {
	t.Parallel()
	whole := fmt.Sprintf(`{"imageDetails":[{"imageDigest":%q,"imageTags":["t0"],"imagePushedAt":1.5},{"imageDigest":%q,"imageTags":["t1"],"imagePushedAt":2}]}`, digestOf("a"), digestOf("b"))
	var cut atomic.Int64
	client := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, whole[:cut.Load()])
	})
	for n := 0; n <= len(whole); n++ {
		if 40 < n && n < 100 || 150 < n && n < 200 {
			continue // amid a digest, like the others
		}
		cut.Store(int64(n))
		listed := 0
		err := client.List(t.Context(), auth, func(images []Image) error { listed += len(images); return nil })
		if n < len(whole) && (err == nil || listed > 0) {
			t.Fatalf("answer of %d of %d bytes: listed %d images, %v", n, len(whole), listed, err)
		}
		if n == len(whole) && (err != nil || listed != 2) {
			t.Errorf("whole answer: listed %d images, %v", listed, err)
		}
	}
}

func TestAnAnswerWithoutEndIsNotReadToTheEnd(t *testing.T) {
	t.Parallel()
	var calls, sent atomic.Int64
	client := serving(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		// As the emulator: a transport that still writes the request when a large
		// answer begins drops the connection (aws-sdk-go-v2 issue 2737).
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(5 * time.Millisecond)
		_, _ = io.WriteString(w, `{"imageDetails":[`)
		page := []byte(strings.Repeat(" ", 1<<16))
		for r.Context().Err() == nil {
			n, err := w.Write(page)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	err := client.List(t.Context(), auth, func([]Image) error { return nil })
	wantError(t, err, ErrResponse, "too large to be ECR's", "proxies lead to ECR")
	if calls.Load() != 1 {
		t.Errorf("%d calls, want 1: the next answer would be as long", calls.Load())
	}
	if sent.Load() > 16*quick().answer {
		t.Errorf("%d MiB were sent", sent.Load()>>20)
	}
}

func TestPagesWithoutEndEndWithTheContext(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	client := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"imageDetails":[],"nextToken":"%d"}`, n.Add(1))
	})
	err := client.List(until(t, func() bool { return n.Load() > 3 }), auth, func([]Image) error { return nil })
	calls := Interrupted(err)
	if !errors.Is(err, context.Canceled) || len(calls) != 1 || !strings.Contains(calls[0], "DescribeImages on nova/auth-service (page ") {
		t.Errorf("error is %v, interrupted %q", err, calls)
	}
}

func TestATokenThatComesBackEndsAListing(t *testing.T) {
	t.Parallel()
	client := answering(t, fmt.Sprintf(`{"imageDetails":[{"imageDigest":%q,"imageTags":["t0"],"imagePushedAt":1}],"nextToken":"x"}`, digestOf("a")))
	pages := 0
	err := client.List(t.Context(), auth, func([]Image) error { pages++; return nil })
	wantError(t, err, ErrResponse, "the same page was offered twice")
	if pages != 2 {
		t.Errorf("%d pages were read, want the first and the one that told", pages)
	}
}

// Each page is followed by empty ones, fewer in a row than end a listing.
func TestEmptyPagesEndNoListingThatMakesProgress(t *testing.T) {
	t.Parallel()
	const pages, empty = 4, 3
	n := 0
	client := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		number, again := n/(1+empty), n%(1+empty)
		n++
		details, next := "", fmt.Sprintf(`,"nextToken":"%d"`, number)
		if again == 0 {
			details = fmt.Sprintf(`{"imageDigest":%q,"imageTags":["t%d"],"imagePushedAt":1}`, digestOf("a"), number)
		}
		if number == pages-1 {
			next = ""
		}
		fmt.Fprintf(w, `{"imageDetails":[%s]%s}`, details, next)
	})
	listed := 0
	if err := client.List(t.Context(), auth, func(images []Image) error { listed += len(images); return nil }); err != nil || listed != pages {
		t.Errorf("listed %d images, %v; want %d", listed, err, pages)
	}
}

// The request that the design promises: what is asked is all that is asked.
func TestRequests(t *testing.T) {
	t.Parallel()
	for call, want := range map[string]string{
		"Find":        `{"acceptedMediaTypes":["application/vnd.docker.distribution.manifest.v2+json","application/vnd.docker.distribution.manifest.list.v2+json","application/vnd.oci.image.manifest.v1+json","application/vnd.oci.image.index.v1+json","application/vnd.docker.distribution.manifest.v1+prettyjws","application/vnd.docker.distribution.manifest.v1+json"],"imageIds":[{"imageTag":"t0"}],"registryId":"025434362120","repositoryName":"nova/auth-service"}`,
		"Describe":    `{"imageIds":[{"imageDigest":"` + digestOf("a") + `"}],"registryId":"025434362120","repositoryName":"nova/auth-service"}`,
		"DescribeTag": `{"imageIds":[{"imageTag":"t0"}],"registryId":"025434362120","repositoryName":"nova/auth-service"}`,
		"List":        `{"filter":{"tagStatus":"TAGGED"},"maxResults":1000,"registryId":"025434362120","repositoryName":"nova/auth-service"}`,
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			var got any
			var header http.Header
			client := serving(t, func(w http.ResponseWriter, r *http.Request) {
				header = r.Header.Clone()
				_ = json.NewDecoder(r.Body).Decode(&got)
				http.Error(w, `{"__type":"AccessDeniedException"}`, http.StatusBadRequest)
			})
			_ = operations[call](t.Context(), client, digestOf("a"))
			var wanted any
			_ = json.Unmarshal([]byte(want), &wanted)
			if fmt.Sprint(got) != fmt.Sprint(wanted) {
				t.Errorf("asked %v\nwant  %v", got, wanted)
			}
			if a := header.Get("Authorization"); !strings.Contains(a, "/"+region+"/ecr/aws4_request") {
				t.Errorf("signed for %q, want region %s", a, region)
			}
		})
	}
}
