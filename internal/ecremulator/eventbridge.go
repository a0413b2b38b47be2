package ecremulator

import "time"

// Event is what EventBridge says about an action on an image, as in
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
type Event struct {
	Version    string      `json:"version"`
	ID         string      `json:"id"`
	DetailType string      `json:"detail-type"`
	Source     string      `json:"source"`
	Account    string      `json:"account"`
	Time       string      `json:"time"`
	Region     string      `json:"region"`
	Resources  []string    `json:"resources"`
	Detail     EventDetail `json:"detail"`
}

// EventDetail is an event's own part.
type EventDetail struct {
	Result         string `json:"result"`
	RepositoryName string `json:"repository-name"`
	ImageDigest    string `json:"image-digest"`
	ActionType     string `json:"action-type"`
	ImageTag       string `json:"image-tag,omitempty"`
	// These two are in the schema and not in the user guide's sample.
	ManifestMediaType string `json:"manifest-media-type,omitempty"`
	ArtifactMediaType string `json:"artifact-media-type,omitempty"`
}

// NewEvent makes the event of an action, PUSH or DELETE, on an image that need not
// be there: it has no media types.
func NewEvent(r *Repository, action, digest, tag string, at time.Time) Event {
	return Event{
		Version: "0", ID: requestID(), DetailType: "ECR Image Action", Source: "aws.ecr",
		Account: r.registry.account, Time: at.UTC().Format("2006-01-02T15:04:05Z"), Region: r.registry.region, Resources: []string{},
		Detail: EventDetail{Result: "SUCCESS", RepositoryName: r.name, ImageDigest: digest, ActionType: action, ImageTag: tag},
	}
}

// JSON is the event as a queue gets it.
func (e Event) JSON() string { return string(marshal(e)) }

// EmitTo sends an event to the queue for every image that is pushed or tagged
// from now on, as an EventBridge rule with the queue as its target does.
func (e *Emulator) EmitTo(q *Queue) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules = append(e.rules, q)
}

// emit tells the rules of a push. An image without a tag has an event without
// one. The caller holds the lock.
func (r *Repository) emit(at time.Time, img *image, tags ...string) {
	e := r.registry.emulator
	e.mu.RLock()
	rules := e.rules
	e.mu.RUnlock()
	if len(rules) == 0 {
		return
	}
	if len(tags) == 0 {
		tags = []string{""}
	}
	for _, q := range rules {
		for _, tag := range tags {
			event := NewEvent(r, "PUSH", img.digest, tag, at)
			event.Detail.ManifestMediaType, event.Detail.ArtifactMediaType = img.mediaType, img.artifactType
			q.Send(event.JSON())
		}
	}
}
