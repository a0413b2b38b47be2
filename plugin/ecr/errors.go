package ecr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
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

// failure classifies what the SDK returned from a call. secrets are cut out of
// the text: a registry that echoes the request must not put a session token
// into Argo CD's user interface.
func failure(op string, repo Repository, err error, attempts int, secrets []string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		// The caller knows why its context ended; Pending knows what was under way.
		return err
	}
	e := &Error{Op: op, Repository: repo, Attempts: attempts}
	var (
		api   smithy.APIError
		deser *smithy.DeserializationError
		rnf   *types.RepositoryNotFoundException
		inf   *types.ImageNotFoundException
	)
	switch {
	case errors.As(err, &rnf):
		e.Kind = ErrRepositoryNotFound
		e.Detail = fmt.Sprintf("registry %s in %s has no repository %s", repo.Account, repo.Region, repo.Name)
		e.Hint = "create it or correct the image's name in the manifests"
	case errors.As(err, &inf):
		e.Kind, e.Detail = ErrImageNotFound, clean(inf.ErrorMessage(), secrets)
	case errors.As(err, &api):
		e.classifyCode(api, secrets)
	case errors.As(err, &deser):
		e.Kind, e.Detail = ErrResponse, clean(deser.Error(), secrets)
		e.Hint = "check that AWS_ENDPOINT_URL_ECR and proxies lead to ECR"
	case isCredentialFailure(err):
		e.Kind, e.Detail = ErrCredentials, "none could be obtained: "+clean(rootMessage(err), secrets)
		e.Hint = "give the process credentials: IRSA, EKS Pod Identity, AWS_PROFILE or AWS_ACCESS_KEY_ID"
	default:
		e.Kind, e.Detail = ErrUnavailable, clean(rootMessage(err), secrets)
	}
	return e
}

func (e *Error) classifyCode(api smithy.APIError, secrets []string) {
	code, message := api.ErrorCode(), clean(api.ErrorMessage(), secrets)
	switch code {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation":
		e.Kind = ErrDenied
		e.Detail = message
		e.Hint = "allow the role ecr:BatchGetImage and ecr:DescribeImages on this repository (and, across accounts, in the repository's policy)"
	case "ExpiredTokenException", "ExpiredToken", "RequestExpired":
		e.Kind, e.Detail = ErrCredentials, "expired: "+code
		e.Hint = "renew them; credentials from IRSA or EKS Pod Identity renew themselves"
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch",
		"IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"NotAuthorized", "InvalidAccessKeyId":
		// The text of these errors can hold the canonical request, token included.
		e.Kind, e.Detail = ErrCredentials, "not accepted: "+code
		e.Hint = "check which credentials the process has and that its clock is right"
	case "InvalidParameterException", "ValidationException":
		e.Kind, e.Detail = ErrResponse, code+": "+message
	default:
		e.Kind, e.Detail = ErrUnavailable, code
		if message != "" {
			e.Detail += ": " + message
		}
	}
}

// isCredentialFailure tells a failed retrieval of credentials from a failed
// call. The SDK has no type for it; both texts are its own since 2021.
func isCredentialFailure(err error) bool {
	s := err.Error()
	return strings.Contains(s, "failed to refresh cached credentials") ||
		strings.Contains(s, "failed to sign request") ||
		strings.Contains(s, "get identity:") ||
		strings.Contains(s, "get credentials:") ||
		strings.Contains(s, "failed to retrieve credentials")
}

// rootMessage drops the SDK's own preamble ("operation error ECR: …, exceeded
// maximum number of attempts, …"), which repeats what Error already says.
func rootMessage(err error) string {
	var op *smithy.OperationError
	if errors.As(err, &op) {
		err = op.Err
	}
	return err.Error()
}

const maxDetail = 300

// clean makes text from the other side fit for one line of a terminal or of
// Argo CD's user interface: no control characters, no secrets, bounded.
func clean(s string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[secret]")
		}
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == ' ' }), " ")
	if r := []rune(s); len(r) > maxDetail {
		s = string(r[:maxDetail]) + "…"
	}
	return s
}
