package ecr

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
)

// maxGarbage is how often an answer that is not ECR's protocol is asked for
// again: a proxy in trouble recovers, a wrong endpoint does not.
const maxGarbage = 4

// newRetryer is the only retry layer between a render and ECR. Attempts have no
// count and no token bucket: throttling and failures are retried for as long as
// the caller's deadline allows, with full jitter.
func newRetryer(t tuning) *retry.Standard {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 1 << 20
		// The SDK's own backoff has no jitter once it has reached its maximum.
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			most := t.maxBackoff
			if doublings := attempt - 1; doublings < 16 {
				most = min(most, t.minBackoff<<doublings)
			}
			return rand.N(most) + 1, nil
		})
		o.MaxBackoff = t.maxBackoff
		o.RateLimiter = ratelimit.None
		codes := map[int]struct{}{http.StatusTooManyRequests: {}}
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

// judge overrides the SDK where it gives up too early or too late. All calls
// here only read.
func judge(err error, garbage *int) error {
	var (
		creds   *credentialsError
		answer  interface{ HTTPStatusCode() int }
		timeout interface{ Timeout() bool }
		broken  *brokenBody
		deser   *smithy.DeserializationError
		api     smithy.APIError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &creds):
		return err // says itself that it is final, whatever STS said
	case errors.Is(err, errTooLarge), errors.As(err, &cert):
		return &judged{err, false}
	case errors.As(err, &answer) && (answer.HTTPStatusCode() >= 500 || answer.HTTPStatusCode() == http.StatusTooManyRequests):
		// Also with a body that is a load balancer's page.
		return &judged{err, true}
	case errors.As(err, &timeout) && timeout.Timeout(), errors.As(err, &broken):
		// An answer cut short is like a cut connection.
		return &judged{err, true}
	case errors.As(err, &api):
		return err
	case errors.As(err, &deser):
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
	case *ecr.DescribeImageScanFindingsOutput:
		if out.ImageScanStatus == nil || out.ImageScanStatus.Status == "" {
			return errHollow
		}
	}
	return nil
}

// forget empties what a failed attempt has read. The SDK has all attempts of a
// call read into one value and sets only the fields that an answer has: half of a
// page would be left over, and an empty answer after it taken for a page.
func forget(result any) {
	switch out := result.(type) {
	case *ecr.BatchGetImageOutput:
		*out = ecr.BatchGetImageOutput{}
	case *ecr.DescribeImagesOutput:
		*out = ecr.DescribeImagesOutput{}
	case *ecr.DescribeImageScanFindingsOutput:
		*out = ecr.DescribeImageScanFindingsOutput{}
	}
}

// attemptText is the short form of a failed attempt for the pending list.
func attemptText(err error, hide *redactor) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return apiText(api, hide)
	}
	return clean(rootMessage(err), hide)
}
