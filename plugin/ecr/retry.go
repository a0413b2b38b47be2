package ecr

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
)

const (
	maxBackoff = 5 * time.Second
	// maxGarbage is how often an answer that is not ECR's protocol is asked for
	// again: a proxy in trouble recovers, a wrong endpoint does not.
	maxGarbage = 4
)

// newRetryer is the only retry layer between a render and ECR. Attempts have no
// count and no token bucket: throttling and failures are retried for as long as
// the caller's deadline allows, with full jitter.
func newRetryer() *retry.Standard {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 1 << 20
		o.MaxBackoff = maxBackoff
		o.RateLimiter = ratelimit.None
		codes := map[int]struct{}{429: {}}
		for code := range retry.DefaultRetryableHTTPStatusCodes {
			codes[code] = struct{}{}
		}
		o.Retryables = append(o.Retryables,
			retry.RetryableHTTPStatusCode{Codes: codes},
			retry.RetryableErrorCode{Codes: map[string]struct{}{"ServerException": {}, "InternalFailure": {}, "ServiceUnavailable": {}}},
		)
	})
}

// judged carries our verdict on an attempt to the SDK's retryer, which asks
// errors for it before it looks at anything else.
type judged struct {
	error
	again bool
}

func (j *judged) RetryableError() bool { return j.again }
func (j *judged) Unwrap() error        { return j.error }

// judge overrides the SDK where it gives up too early: an answer cut short is
// like a cut connection, and garbage is worth a few more attempts. All calls
// here only read.
func judge(err error, garbage *int) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || strings.Contains(err.Error(), "unexpected EOF") {
		return &judged{err, true}
	}
	var d *smithy.DeserializationError
	if errors.As(err, &d) {
		*garbage++
		return &judged{err, *garbage < maxGarbage}
	}
	return err
}

// errHollow is a well-formed answer without the lists that ECR always sends. An
// empty object must not read as "there are no images".
var errHollow = &smithy.DeserializationError{Err: errors.New("the answer lacks the lists that ECR sends")}

// hollow checks an attempt's result before the retry layer sees it.
func hollow(result any) error {
	switch out := result.(type) {
	case *ecr.BatchGetImageOutput:
		if out.Images == nil && out.Failures == nil {
			return errHollow
		}
	case *ecr.DescribeImagesOutput:
		if out.ImageDetails == nil {
			return errHollow
		}
	}
	return nil
}

// attemptText is the short form of a failed attempt for the pending list.
func attemptText(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		text := api.ErrorCode()
		if m := api.ErrorMessage(); m != "" && !strings.Contains(strings.ToLower(text), "token") && !strings.Contains(text, "Signature") {
			text += ": " + m
		}
		return clean(text, nil)
	}
	return clean(rootMessage(err), nil)
}
