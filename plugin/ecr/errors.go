package ecr

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

var (
	// ErrNotECR is returned by [ParseRepository] for a name that is not in a
	// private ECR registry.
	ErrNotECR = errors.New("not an ECR image")
	// ErrRepositoryNotFound is returned when the registry has no such repository.
	ErrRepositoryNotFound = errors.New("repository not found")
	// ErrImageNotFound is returned by [Client.DescribeTag] for an unknown tag and
	// by [Client.Describe] when an image vanished between two calls.
	ErrImageNotFound = errors.New("image not found")
	// errScanNotFound is ECR's answer for an image that was never scanned.
	errScanNotFound = errors.New("scan not found")
	// ErrDenied is returned when the credentials work but do not allow the call.
	ErrDenied = errors.New("access denied")
	// ErrCredentials is returned when there are no credentials, or when AWS says
	// that they are expired or not valid.
	ErrCredentials = errors.New("AWS credentials")
	// ErrUnavailable is returned when ECR could not be asked: no connection,
	// throttled, or failing until the deadline.
	ErrUnavailable = errors.New("ECR unavailable")
	// ErrResponse is returned for an answer that is not ECR's protocol or that
	// contradicts itself.
	ErrResponse = errors.New("unusable answer from ECR")
)

// Error is a failed call: what was asked of which repository, and why it failed.
type Error struct {
	Op         string // for example "DescribeImages"
	Repository Repository
	Kind       error  // one of the sentinels
	Detail     string // what ECR or the SDK said: one line, without secrets
	Hint       string // what to do about it
	Attempts   int
	// Throttled says that ECR refused the last attempt for the rate of calls.
	Throttled bool
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s: %s", e.Op, e.Repository, e.Kind)
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", e.Attempts)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "; %s", e.Hint)
	}
	return b.String()
}

// Unwrap makes errors.Is match the sentinel.
func (e *Error) Unwrap() error { return e.Kind }

// IsThrottled says whether err is a call that ECR refused for the rate of calls.
func IsThrottled(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Throttled
}

var throttles = retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}

func throttled(err error) bool {
	var (
		creds  *credentialsError
		answer interface{ HTTPStatusCode() int }
	)
	if errors.As(err, &creds) {
		return false // if anything, STS throttles
	}
	return throttles.IsErrorThrottle(err) == aws.TrueTernary || errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusTooManyRequests
}

// failure classifies what the SDK returned from a call. Credentials are cut out
// of the text.
func failure(op string, repo Repository, err error, attempts int, hide *redactor) error {
	e := &Error{Op: op, Repository: repo, Attempts: attempts, Throttled: throttled(err)}
	var (
		creds *credentialsError
		api   smithy.APIError
		deser *smithy.DeserializationError
		rnf   *types.RepositoryNotFoundException
		inf   *types.ImageNotFoundException
		snf   *types.ScanNotFoundException
		cert  *tls.CertificateVerificationError
		dns   *net.DNSError
	)
	switch {
	case errors.As(err, &creds):
		e.classifyCredentials(creds, hide)
	case errors.As(err, &rnf):
		e.Kind = ErrRepositoryNotFound
		e.Detail = fmt.Sprintf("registry %s in %s has no repository %s", repo.Account, repo.Region, repo.Name)
		e.Hint = "create it or correct the image's name in the manifests"
	case errors.As(err, &inf):
		e.Kind, e.Detail = ErrImageNotFound, clean(inf.ErrorMessage(), hide)
	case errors.As(err, &snf):
		e.Kind, e.Detail = errScanNotFound, clean(snf.ErrorMessage(), hide)
	case errors.As(err, &api):
		e.classifyCode(api, hide)
	case errors.As(err, &deser), errors.Is(err, errTooLarge):
		e.Kind, e.Detail = ErrResponse, clean(rootMessage(err), hide)
		e.Hint = checkEndpoint
	case errors.As(err, &cert):
		e.Kind, e.Detail = ErrUnavailable, clean(rootMessage(err), hide)
		e.Hint = "if a proxy re-signs connections, name its certificates in AWS_CA_BUNDLE"
	case errors.As(err, &dns):
		e.Kind, e.Detail = ErrUnavailable, clean(rootMessage(err), hide)
		e.Hint = fmt.Sprintf("check that region %s has such an endpoint, and that DNS works here", repo.Region)
	default:
		e.Kind, e.Detail = ErrUnavailable, clean(rootMessage(err), hide)
	}
	return e
}

const (
	checkEndpoint = "check that AWS_ENDPOINT_URL_ECR and proxies lead to ECR"
	renew         = "renew them; credentials from IRSA or EKS Pod Identity renew themselves"
)

func (e *Error) classifyCode(api smithy.APIError, hide *redactor) {
	code := api.ErrorCode()
	switch {
	case isDenied(code):
		e.Kind, e.Detail = ErrDenied, clean(api.ErrorMessage(), hide)
		e.Hint = fmt.Sprintf("allow the role %s on this repository (and, across accounts, in the repository's policy)", e.actions())
	case isExpired(code):
		e.Kind, e.Detail, e.Hint = ErrCredentials, "expired: "+code, renew
	case isRejected(code):
		e.Kind, e.Detail = ErrCredentials, "not accepted: "+code
		e.Hint = fmt.Sprintf("check which credentials the process has, that its clock is right, and that region %s is enabled for the account", e.Repository.Region)
	case code == "InvalidParameterException" || code == "ValidationException":
		e.Kind, e.Detail = ErrResponse, apiText(api, hide)
	case code == "UnknownOperationException" || code == unknownCode:
		e.Kind, e.Detail, e.Hint = ErrResponse, apiText(api, hide), checkEndpoint
	default:
		e.Kind, e.Detail = ErrUnavailable, apiText(api, hide)
	}
}

// classifyCredentials reports credentials that could not be had. Whatever STS
// said, it is not about the repository.
func (e *Error) classifyCredentials(c *credentialsError, hide *redactor) {
	e.Kind, e.Attempts = ErrCredentials, 0
	why := clean(operation(c.err)+rootMessage(c.err), hide)
	var (
		own  *credentialsError // of the process, which are needed to assume a role
		api  smithy.APIError
		code string
	)
	switch {
	case errors.As(c.err, &own):
		why = "the process has no credentials of its own: " + clean(rootMessage(own.err), hide)
	case errors.As(c.err, &api):
		code = api.ErrorCode()
		why = operation(c.err) + apiText(api, hide)
	}
	const give = "give the process credentials: IRSA, EKS Pod Identity, AWS_PROFILE or AWS_ACCESS_KEY_ID"
	switch {
	case c.role.ARN == "":
		e.Detail, e.Hint = "none could be obtained: "+why, give
		if isExpired(code) {
			e.Hint = renew
		} else if strings.Contains(why, "AssumeRoleWithWebIdentity") {
			e.Hint = "check the role that the ServiceAccount names: that it exists, and that its trust policy lets this ServiceAccount in"
		}
	default:
		e.Detail = fmt.Sprintf("role %s could not be assumed: %s", c.role.ARN, why)
		switch {
		case own != nil:
			e.Hint = give
		case isExpired(code):
			e.Hint = renew
		case isRejected(code):
			e.Hint = "check which credentials the process has, and that its clock is right"
		case code != "":
			e.Hint = "check the ARN and the external ID, and that the role's trust policy and the caller's own policy allow sts:AssumeRole"
		}
	}
}

// actions that the role needs. Only the scan gate needs the third.
func (e *Error) actions() string {
	if e.Op == "DescribeImageScanFindings" {
		return "ecr:DescribeImageScanFindings"
	}
	return "ecr:BatchGetImage and ecr:DescribeImages"
}

func isDenied(code string) bool {
	switch code {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
		return true
	}
	return false
}

func isExpired(code string) bool {
	switch code {
	case "ExpiredTokenException", "ExpiredToken", "RequestExpired":
		return true
	}
	return false
}

// isRejected is true when AWS does not accept who is asking. The text of such an
// error can hold the request as it was signed, token included.
func isRejected(code string) bool {
	switch code {
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch",
		"IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"NotAuthorized", "InvalidAccessKeyId":
		return true
	}
	return false
}

// unknownCode is what the SDK makes of an error without a code.
const unknownCode = "UnknownError"

// apiText is the code of an error and what AWS said to it.
func apiText(api smithy.APIError, hide *redactor) string {
	code, message := api.ErrorCode(), api.ErrorMessage()
	if message == "" || message == code || isRejected(code) || isExpired(code) {
		return clean(code, hide)
	}
	return clean(code+": "+message, hide)
}

// operation names the call to AWS that err comes from, for example
// "AssumeRoleWithWebIdentity: ", or "".
func operation(err error) string {
	name := ""
	for op := (*smithy.OperationError)(nil); errors.As(err, &op); err = op.Err {
		name = op.OperationName + ": "
	}
	return name
}

// rootMessage drops the SDK's own preamble ("operation error ECR: …, exceeded
// maximum number of attempts, …, https response error StatusCode: 0, …"), which
// repeats what Error already says or says nothing.
func rootMessage(err error) string {
	var (
		op   *smithy.OperationError
		send *smithyhttp.RequestSendError
	)
	if errors.As(err, &send) {
		return send.Err.Error()
	}
	if errors.As(err, &op) {
		err = op.Err
	}
	return err.Error()
}
