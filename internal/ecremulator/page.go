package ecremulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
)

const (
	defaultPage = 100
	maxPage     = 1000
	maxImageIDs = 100
)

// imageFilter is the filter of DescribeImages and of ListImages.
type imageFilter struct {
	TagStatus   string `json:"tagStatus"`
	ImageStatus string `json:"imageStatus"`
}

func (f *imageFilter) check() *apiError {
	if f == nil {
		return nil
	}
	if !slices.Contains([]string{"", "TAGGED", "UNTAGGED", "ANY"}, f.TagStatus) {
		return constraint("filter.tagStatus", "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]")
	}
	if !slices.Contains([]string{"", "ACTIVE", "ARCHIVED", "ACTIVATING", "ANY"}, f.ImageStatus) {
		return constraint("filter.imageStatus", "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]")
	}
	return nil
}

// admits tells whether an image passes. Without imageStatus only active ones
// do, as the API reference says.
func (f *imageFilter) admits(i *image) bool {
	if f == nil {
		f = &imageFilter{}
	}
	switch f.ImageStatus {
	case "ANY":
	case "":
		if i.status != StatusActive {
			return false
		}
	default:
		if i.status != Status(f.ImageStatus) {
			return false
		}
	}
	switch f.TagStatus {
	case "TAGGED":
		return len(i.tags) > 0
	case "UNTAGGED":
		return len(i.tags) == 0
	}
	return true
}

// cursor says where the next page begins and which request it belongs to.
// Naming the last result, and not its place, keeps a listing whole while
// images come and go between its pages.
type cursor struct {
	Operation string       `json:"o"`
	Account   string       `json:"a"`
	Scope     string       `json:"s"` // the repository, if there is one
	Filter    *imageFilter `json:"f,omitempty"`
	Last      string       `json:"l"`
	LastTag   string       `json:"t,omitempty"`
}

// seal makes a token of a cursor that only this emulator can have made.
func (e *Emulator) seal(c cursor) *string {
	b := marshal(c)
	s := base64.StdEncoding.EncodeToString(append(e.mac(b), b...))
	return &s
}

func (e *Emulator) mac(b []byte) []byte {
	h := hmac.New(sha256.New, e.tokenKey)
	h.Write(b)
	return h.Sum(nil)
}

// unseal reads a token that must continue the request described by want.
func (e *Emulator) unseal(token string, want cursor) (cursor, *apiError) {
	invalid := clientError("InvalidParameterException",
		"Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid pagination token'")
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(b) < sha256.Size || !hmac.Equal(b[:sha256.Size], e.mac(b[sha256.Size:])) {
		return cursor{}, invalid
	}
	var c cursor
	if json.Unmarshal(b[sha256.Size:], &c) != nil {
		return cursor{}, invalid
	}
	want.Last, want.LastTag = c.Last, c.LastTag
	if string(marshal(c)) != string(marshal(want)) {
		return cursor{}, invalid
	}
	return c, nil
}

// pageSize checks maxResults and applies the cap.
func (e *Emulator) pageSize(maxResults *int) (int, *apiError) {
	n := defaultPage
	if maxResults != nil {
		n = *maxResults
		if n < 1 {
			return 0, constraint("maxResults", "Member must have value greater than or equal to 1")
		}
		if n > maxPage {
			return 0, constraint("maxResults", "Member must have value less than or equal to 1000")
		}
	}
	if limit := int(e.pageLimit.Load()); limit > 0 {
		n = min(n, limit)
	}
	return n, nil
}

// after returns where in order the images behind digest begin.
func after(order []*image, digest string) int {
	if digest == "" {
		return 0
	}
	at, found := slices.BinarySearchFunc(order, digest, compareDigest)
	if found {
		at++
	}
	return at
}
