package release

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func images() []Image {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.FixedZone("JST", 9*3600))
	return []Image{
		{Name: "r/b", Tag: "v1", Digest: "sha256:" + strings.Repeat("b", 64), Policy: "semver", PushedAt: at},
		{Name: "r/a", Tag: "c0ffee", Digest: "sha256:" + strings.Repeat("a", 64), Policy: "commit", Commit: "c0ffee", PushedAt: at},
	}
}

var pinned = "r/proxy:1@sha256:" + strings.Repeat("d", 64)

func TestARecordReadsBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	want := New(images(), pinned, pinned)
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Images[0].Name != "r/a" || got.Images[0].PushedAt.Location() != time.UTC {
		t.Errorf("images are not sorted, or not in UTC: %+v", got.Images)
	}
}

func TestTheIDIsThatOfWhatRuns(t *testing.T) {
	t.Parallel()
	base := New(images())
	swapped := images()
	swapped[0], swapped[1] = swapped[1], swapped[0]
	if New(swapped).ID != base.ID {
		t.Error("the order of images changes the id")
	}
	repushed := images()
	repushed[0].PushedAt = time.Now()
	repushed[0].Policy = "newest"
	if New(repushed).ID != base.ID {
		t.Error("how an image was chosen changes the id")
	}
	changed := images()
	changed[0].Digest = "sha256:" + strings.Repeat("c", 64)
	if New(changed).ID == base.ID {
		t.Error("another digest has the same id")
	}
	if New(images(), pinned).ID == base.ID {
		t.Error("an image that the manifests pin has no part in the id")
	}
}

func TestARecordThatProvesNothingIsRefused(t *testing.T) {
	t.Parallel()
	good, err := New(images(), pinned).Encode()
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) []byte { return bytes.Replace(good, []byte(old), []byte(with), 1) }
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "EOF"},
		{"half of it", good[:len(good)/2], "EOF"},
		{"two of them", append(bytes.Clone(good), good...), "more than one JSON value"},
		{"another kind", replace(`"Release"`, `"Rumour"`), "found staging.nova/v1alpha1 Rumour"},
		{"another version", replace("v1alpha1", "v9"), "want staging.nova/v1alpha1 Release"},
		{"an unknown field", replace(`"kind"`, `"sort"`), "unknown field"},
		{"a digest changed by hand", replace("sha256:a", "sha256:f"), "the record was changed after the render"},
		{"a digest that is none", replace("sha256:a", "sha256:A"), "want sha256: and 64 hexadecimal digits"},
		{"a tag changed by hand", replace(`"v1"`, `"v2"`), "the record was changed after the render"},
		{"a pinned image changed by hand", replace("sha256:d", "sha256:f"), "the record was changed after the render"},
		{"a pinned image without a digest", replace("@sha256:d", "-sha256:d"), "is not pinned"},
		{"an image twice", replace(`"r/a"`, `"r/b"`), "image r/b is listed twice"},
		{"an image without a name", replace(`"r/a"`, `""`), "an image without a name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Decode(tt.data); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q in it", err, tt.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	good, err := New(images()).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(data)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(again); err != nil {
			t.Errorf("what was read can not be read again: %v", err)
		}
	})
}
