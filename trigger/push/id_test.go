package push_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/push"
)

var auth = push.Repository{Account: "025434362120", Region: "ap-northeast-1", Name: "nova/auth"}

// digest of an image that a letter stands for.
func digest(letter string) string { return "sha256:" + strings.Repeat(letter, 64) }

// event is heard from the queue, some seconds after noon.
func event(t *testing.T, id, repository, letter, tag string, seconds int) push.Push {
	t.Helper()
	at := noon.Add(time.Duration(seconds) * time.Second).Format(time.RFC3339)
	p, err := push.ParseEvent(fmt.Appendf(nil, `{"id":%q,"source":"aws.ecr","detail-type":"ECR Image Action","account":"025434362120","region":"ap-northeast-1","time":%q,
		"detail":{"result":"SUCCESS","action-type":"PUSH","repository-name":%q,"image-digest":%q,"image-tag":%q}}`, id, at, repository, digest(letter), tag))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// polled is heard of by polling; its image was pushed some seconds after noon.
func polled(letter, tag string, seconds float64) push.Push {
	return push.Polled(auth, digest(letter), tag, noon.Add(time.Duration(seconds*float64(time.Second))))
}

func TestOnePushIsKnownInEitherWay(t *testing.T) {
	t.Parallel()
	e := func(id, letter, tag string, seconds int) push.Push {
		return event(t, id, "nova/auth", letter, tag, seconds)
	}
	first := e("1", "a", "x", 0)
	for _, tt := range []struct {
		name  string
		known push.Push
		heard push.Push
		want  bool
	}{
		{"the same event again", first, e("1", "a", "x", 0), true},
		{"another event, however alike: the tag may have been elsewhere meanwhile", first, e("2", "a", "x", 0), false},
		{"the event's image, polled", first, polled("a", "x", 0.7), true},
		{"the polled image's event", polled("a", "x", 0.7), first, true},
		{"an event that is stamped a little after its image", polled("a", "x", 0.7), e("1", "a", "x", 5), true},
		{"the same image, polled again", polled("a", "x", 0.7), polled("a", "x", 0.7), true},
		{"an image that was deleted and pushed again", polled("a", "x", 0.7), polled("a", "x", 3.7), false},
		{"an old image by an event that tagged it, polled", e("2", "a", "x", 3600), polled("a", "x", 0.7), true},
		{"an event that tags an old image, which had that tag before", polled("a", "x", 0.7), e("2", "a", "x", 3600), false},
		{"an image that was pushed again long after its event", first, polled("a", "x", 3600), false},
		{"another tag of the image", first, polled("a", "y", 0.7), false},
		{"another tag of the image, by an event", polled("a", "x", 0.7), e("2", "a", "y", 0), false},
		{"another image under the tag", first, polled("b", "x", 0.7), false},
		{"the tag in another repository", polled("a", "x", 0.7), event(t, "1", "nova/user", "a", "x", 0), false},
		{"an event that an earlier version recorded", push.Push{ID: "1"}, first, true},
		{"another one", push.Push{ID: "2"}, first, false},
		{"an event by the ID of an earlier version, and its image, polled", push.Push{ID: "1/" + content(first) + "@" + strconv.FormatInt(noon.Unix(), 10)}, polled("a", "x", 0.7), true},
		{"an event by the ID of an earlier version", push.Push{ID: "1/" + content(first) + "@" + strconv.FormatInt(noon.Unix(), 10)}, first, true},
		{"another event, however alike, by the ID of an earlier version", push.Push{ID: "2/" + content(first) + "@" + strconv.FormatInt(noon.Unix(), 10)}, first, false},
		{"a polled image by the ID of an earlier version", push.Push{ID: "/" + content(first) + "@" + strconv.FormatInt(noon.Unix(), 10)}, polled("a", "x", 0.7), true},
		{"one that was pushed again, by the ID of an earlier version", push.Push{ID: "/" + content(first) + "@" + strconv.FormatInt(noon.Unix(), 10)}, polled("a", "x", 3.7), false},
		{"an image that an earlier version polled", push.Push{ID: content(polled("a", "x", 0.7))}, polled("a", "x", 0.7), true},
		{"an event that may tag an image which an earlier version polled", push.Push{ID: content(polled("a", "x", 0.7))}, first, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.heard.Known([]string{"somebody", tt.known.ID}); got != tt.want {
				t.Errorf("%s is known by %s: %t, want %t", tt.heard.ID, tt.known.ID, got, tt.want)
			}
		})
	}
}

// content is the part of a push's ID that was all of it once, for one that was polled.
func content(p push.Push) string {
	text, _, _ := strings.Cut(p.ID[strings.LastIndexByte(p.ID, '/')+1:], ".")
	return text
}

func TestTheImageOfAPushIsKnownAmongOthers(t *testing.T) {
	t.Parallel()
	const host = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/"
	image := func(name, letter string) string { return host + name + "@" + digest(letter) }
	pushed := event(t, "1", "nova/auth", "a", "x", 7)
	sha, other := strings.Repeat("c0ffee00", 5), strings.Repeat("0ff1ce00", 5)
	for _, tt := range []struct {
		name   string
		id     string
		images []string
		want   bool
	}{
		{"with its tag", pushed.ID, []string{image("nova/user:x", "b"), image("nova/auth:x", "a")}, true},
		{"with another tag, as beside latest", pushed.ID, []string{image("nova/auth:y", "a")}, true},
		{"without a tag", pushed.ID, []string{image("nova/auth", "a")}, true},
		{"by another of the registry's hosts", pushed.ID, []string{"025434362120.dkr-ecr.ap-northeast-1.on.aws/nova/auth:x@" + digest("a")}, true},
		{"twice", pushed.ID, []string{image("nova/auth:x", "a"), image("nova/auth:x", "a")}, true},
		{"polled", polled("a", "x", 7).ID, []string{image("nova/auth:x", "a")}, true},
		{"with its commit's tag", event(t, "1", "nova/auth", "a", sha, 7).ID, []string{image("nova/auth:"+sha, "a")}, true},
		{"with its commit's tag, short", event(t, "1", "nova/auth", "a", "main-"+sha[:7], 7).ID, []string{image("nova/auth:main-"+sha[:7], "a")}, true},
		{"as latest, beside its commit's tag", event(t, "1", "nova/auth", "a", "latest", 7).ID, []string{image("nova/auth:"+sha, "a")}, true},
		{"not with another commit's tag: a set may be complete by it", event(t, "1", "nova/auth", "a", sha, 7).ID, []string{image("nova/auth:"+other, "a")}, false},
		{"nor with another commit's, short", event(t, "1", "nova/auth", "a", "main-"+sha[:7], 7).ID, []string{image("nova/auth:main-"+other[:7], "a")}, false},
		{"nor with a commit's tag, where none is listed", polled("a", sha, 7).ID, []string{image("nova/auth", "a")}, false},
		{"nor beside another of its repository, which may have been to have it", pushed.ID, []string{image("nova/auth:x", "a"), image("nova/auth:x", "b")}, false},
		{"nor as another", pushed.ID, []string{image("nova/auth:x", "b")}, false},
		{"nor in another repository", pushed.ID, []string{image("nova/user:x", "a")}, false},
		{"nor in another registry", pushed.ID, []string{"docker.io/nova/auth:x@" + digest("a")}, false},
		{"nor without a digest", pushed.ID, []string{host + "nova/auth:x"}, false},
		{"nor by the ID of an earlier version", "1/" + content(polled("a", "x", 7)) + "@1795176007", []string{image("nova/auth:x", "a")}, false},
		{"nor by an older one", "1", []string{image("nova/auth:x", "a")}, false},
		{"nor among none", pushed.ID, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at, got := push.ImageOf(tt.id, push.Images(tt.images))
			if got != tt.want || got && !at.Equal(noon.Add(7*time.Second)) {
				t.Errorf("%s among %q: %t at %s, want %t", tt.id, tt.images, got, at, tt.want)
			}
		})
	}
}
