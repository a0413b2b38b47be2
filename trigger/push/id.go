package push

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An ID is EVENT/CONTENT.IMAGE@SECONDS. EVENT is EventBridge's ID, empty for what was
// polled: there is no event then. CONTENT stands for repository, digest and tag, IMAGE
// for what a sync lists that has taken the push in, and SECONDS are the push's time.
// CONTENT and SECONDS let one push be known again that is heard of in both ways. IDs of
// earlier versions have no IMAGE, or are EVENT or CONTENT alone.

// commitRE fits a tag that may hold a commit's SHA, of which generate takes 7 digits and
// more. CI may put the next commit's on an image that has not changed and runs already,
// and so complete a set: that the image runs does not tell that this tag was seen.
var commitRE = regexp.MustCompile(`[0-9a-f]{7}`)

// apart is how much an event's time and that of its image can differ: the one has
// whole seconds, and is stamped when the push is done.
const apart = 5 * time.Second

// Polled is a tag of an image as a repository's listing has it. at is the image's push
// time.
func Polled(r Repository, digest, tag string, at time.Time) Push {
	p := Push{Repository: r, Tag: tag, Digest: digest, Time: at}
	p.ID = p.identify("")
	return p
}

func (p Push) identify(event string) string {
	image := p.Repository.String() + "@" + p.Digest
	tagged := image + ":" + p.Tag
	listed := image
	if commitRE.MatchString(p.Tag) {
		listed = tagged
	}
	return fmt.Sprintf("%s/%s.%s@%d", event, hash(tagged)[:16], hash(listed)[:8], p.Time.Unix())
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Known says whether a push is among those with these IDs, whichever way they were
// heard of.
//
// Two events are two pushes, however alike: a tag may be put on an image again after
// another had it. An event is a polled image's when it is hardly later than the image:
// a later one puts the tag on an older image. A polled image is an event's when it is
// not later than the event, by which its tag was put on.
func (p Push) Known(ids []string) bool {
	mine := parseID(p.ID)
	return slices.ContainsFunc(ids, func(id string) bool {
		if id == p.ID {
			return true
		}
		other := parseID(id)
		switch {
		case other.bare != "":
			return other.bare == mine.event || mine.event == "" && other.bare == mine.content
		case mine.content != other.content:
			return false
		case mine.event == other.event && mine.at.Equal(other.at):
			return true // an ID of an earlier version
		case (mine.event == "") == (other.event == ""):
			return false
		}
		return !mine.at.After(other.at.Add(apart))
	})
}

// ImageOf says whether the image of the push with an ID is among some, as [Images] gives
// them; and it gives the push's time.
func ImageOf(id string, images []string) (at time.Time, ok bool) {
	mine := parseID(id)
	return mine.at, mine.image != "" && slices.Contains(images, mine.image)
}

// Images gives, as in IDs, what references with digests stand for. One beside another
// digest of its repository is left out: either may have been to be the other.
func Images(references []string) []string {
	type image struct{ name, tag string }
	in := map[Repository][]image{}
	for _, ref := range references {
		if r, ok := RepositoryOf(ref); ok {
			named, digest, _ := strings.Cut(ref, "@")
			in[r] = append(in[r], image{r.String() + "@" + digest, strings.TrimPrefix(named, nameOf(ref))})
		}
	}
	var all []string
	for _, images := range in {
		if slices.ContainsFunc(images, func(i image) bool { return i.name != images[0].name }) {
			continue
		}
		all = append(all, hash(images[0].name)[:8])
		for _, i := range images {
			if commitRE.MatchString(i.tag) {
				all = append(all, hash(i.name + i.tag)[:8])
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// parts of an ID; of an earlier version's bare may be all there is.
type parts struct {
	event, content, image string
	at                    time.Time
	bare                  string
}

func parseID(id string) parts {
	i := strings.LastIndexByte(id, '/')
	what, seconds, ok := strings.Cut(id[i+1:], "@")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if i < 0 || !ok || err != nil {
		return parts{bare: id}
	}
	content, image, _ := strings.Cut(what, ".")
	return parts{event: id[:i], content: content, image: image, at: time.Unix(at, 0)}
}
