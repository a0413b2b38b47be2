package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Reason why an event is not a push that matters; also a metric's label.
type Reason string

// The reasons.
const (
	Malformed Reason = "malformed" // not an event at all, or parts are missing
	Foreign   Reason = "foreign"   // an event, but of another service or kind
	Deleted   Reason = "delete"    // an image was deleted
	Unsettled Reason = "failed"    // the action did not succeed
	Untagged  Reason = "untagged"  // a manifest without a tag: part of an index
	Artifact  Reason = "artifact"  // a signature, attestation or SBOM
)

// NotPush is returned for what is no push that matters.
type NotPush struct {
	Reason Reason
	Detail string
}

func (n *NotPush) Error() string { return string(n.Reason) + ": " + n.Detail }

func notPush(r Reason, format string, args ...any) error {
	return &NotPush{r, fmt.Sprintf(format, args...)}
}

// event is EventBridge's envelope around "ECR Image Action".
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
type event struct {
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Detail     json.RawMessage `json:"detail"`
}

type detail struct {
	Result     string `json:"result"`
	Repository string `json:"repository-name"`
	Digest     string `json:"image-digest"`
	Action     string `json:"action-type"`
	Tag        string `json:"image-tag"`
}

var (
	accountRE = regexp.MustCompile(`^\d{12}$`)
	regionRE  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-\d+$`)
	nameRE    = regexp.MustCompile(`^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$`)
	tagRE     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,299}$`)
	digestRE  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	// Cosign's scheme, and the fallback of the OCI referrers API.
	artifactRE = regexp.MustCompile(`^sha256-[0-9a-f]{64}(\..+)?$`)
)

// ParseEvent reads an event as EventBridge puts it into a queue. Its error is a
// [NotPush] that says why the event does not matter.
func ParseEvent(body []byte) (Push, error) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return Push{}, notPush(Malformed, "%v", shortError(err))
	}
	switch {
	case e.Source == "" || e.DetailType == "":
		return Push{}, notPush(Malformed, "no source or no detail-type: not an event of EventBridge")
	case e.Source != "aws.ecr" || e.DetailType != "ECR Image Action":
		return Push{}, notPush(Foreign, "%.64q of %.64q", e.DetailType, e.Source)
	}
	var d detail
	if err := json.Unmarshal(e.Detail, &d); err != nil {
		return Push{}, notPush(Malformed, "detail: %v", shortError(err))
	}
	at, err := time.Parse(time.RFC3339, e.Time)
	switch {
	case err != nil:
		return Push{}, notPush(Malformed, "time is %.64q", e.Time)
	case !accountRE.MatchString(e.Account):
		return Push{}, notPush(Malformed, "account is %.64q", e.Account)
	case !regionRE.MatchString(e.Region):
		return Push{}, notPush(Malformed, "region is %.64q", e.Region)
	case len(d.Repository) > 256 || !nameRE.MatchString(d.Repository):
		return Push{}, notPush(Malformed, "repository-name is %.64q", d.Repository)
	case d.Action == "DELETE":
		return Push{}, notPush(Deleted, "%s", d.Repository)
	case d.Action != "PUSH":
		return Push{}, notPush(Foreign, "action-type %.64q", d.Action)
	case d.Result != "SUCCESS":
		return Push{}, notPush(Unsettled, "%s: result %.64q", d.Repository, d.Result)
	case d.Tag == "":
		return Push{}, notPush(Untagged, "%s", d.Repository)
	case !tagRE.MatchString(d.Tag):
		return Push{}, notPush(Malformed, "image-tag is %.64q", d.Tag)
	case artifactRE.MatchString(d.Tag):
		return Push{}, notPush(Artifact, "%s:%s", d.Repository, d.Tag)
	case !digestRE.MatchString(d.Digest):
		return Push{}, notPush(Malformed, "image-digest is %.80q", d.Digest)
	}
	if e.ID == "" || len(e.ID) > 64 {
		return Push{}, notPush(Malformed, "id is %.80q", e.ID)
	}
	p := Push{
		Repository: Repository{e.Account, e.Region, d.Repository},
		Tag:        d.Tag, Digest: d.Digest, Time: at.UTC(),
	}
	p.ID = p.identify(e.ID)
	return p, nil
}

// shortError leaves the input's text out of an error: a log is no place for it.
func shortError(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON (at byte %d)", syntax.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("field %s is a JSON %s", kind.Field, kind.Value)
	}
	return errors.New("not JSON")
}
