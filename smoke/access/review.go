package access

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	authv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authclient "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Outcome is what the API server answered.
type Outcome struct {
	// Missing are the rights that are needed and denied.
	Missing []Right
	// Lacking are optional rights that are denied.
	Lacking []Right
	// Unasked says why the question itself could not be answered, though the
	// server is there: it has no authorization API, or does not let us ask.
	Unasked error
}

// Review asks for all rights: one request where the server knows all its rules,
// and one more for each right that the rules do not show. The error is about a
// server that does not answer.
func Review(ctx context.Context, c authclient.AuthorizationV1Interface, namespace string, rights []Right) (Outcome, error) {
	open := rights
	review := &authv1.SelfSubjectRulesReview{Spec: authv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	rules, err := c.SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
	switch {
	case err == nil:
		open = nil
		for _, r := range rights {
			if !granted(rules.Status.ResourceRules, r) {
				open = append(open, r)
			}
		}
	case apierrors.IsUnauthorized(err):
		return Outcome{}, fmt.Errorf("the API server does not accept the credentials: %w", err)
	case !answered(err):
		return Outcome{}, err
	}
	return ask(ctx, c, namespace, open)
}

func granted(rules []authv1.ResourceRule, r Right) bool {
	for _, rule := range rules {
		if covers(rule, r) {
			return true
		}
	}
	return false
}

// answered says that an error is the server's own answer.
func answered(err error) bool {
	return apierrors.ReasonForError(err) != metav1.StatusReasonUnknown && !apierrors.IsServiceUnavailable(err) &&
		!apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err)
}

// ask puts the question for each right by itself.
func ask(ctx context.Context, c authclient.AuthorizationV1Interface, namespace string, rights []Right) (Outcome, error) {
	allowed := make([]bool, len(rights))
	unasked := make([]error, len(rights))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, r := range rights {
		group.Go(func() error {
			resource, sub, _ := strings.Cut(r.Resource, "/")
			review, err := c.SelfSubjectAccessReviews().Create(ctx, &authv1.SelfSubjectAccessReview{
				Spec: authv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authv1.ResourceAttributes{
					Namespace: namespace, Verb: r.Verb, Group: r.Group, Resource: resource, Subresource: sub, Name: r.Name,
				}},
			}, metav1.CreateOptions{})
			if err != nil {
				if answered(err) && !apierrors.IsUnauthorized(err) {
					unasked[i] = err
					return nil
				}
				return err
			}
			allowed[i] = review.Status.Allowed
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Outcome{}, err
	}
	var out Outcome
	for i, r := range rights {
		switch {
		case unasked[i] != nil:
			out.Unasked = unasked[i]
		case allowed[i]:
		case r.Optional:
			out.Lacking = append(out.Lacking, r)
		default:
			out.Missing = append(out.Missing, r)
		}
	}
	return out, nil
}

// Finding turns an outcome into what is reported.
func (o Outcome) Finding(namespace string, rights []Right) verdict.Finding {
	var f verdict.Finding
	switch {
	case len(o.Missing) > 0:
		names := make([]string, len(o.Missing))
		for i, r := range o.Missing {
			names[i] = r.String()
		}
		f = verdict.Unknown("namespace/"+namespace, fmt.Sprintf("%d rights", len(rights)), "denied: "+strings.Join(names, ", "))
		f.Class = verdict.NoAccess
		f.Hint = "add these rules to the Role of smoke's ServiceAccount (does the namespace exist?)"
		f.Details = Rules(o.Missing)
	case o.Unasked != nil:
		f = verdict.Unknown("namespace/"+namespace, "an answer about rights", o.Unasked.Error())
	default:
		f = verdict.Pass(fmt.Sprintf("%d rights granted", len(rights)-len(o.Lacking)))
	}
	if len(o.Lacking) > 0 {
		f.Details = append(f.Details, "rights that would make the report better, as Role rules:")
		f.Details = append(f.Details, Rules(o.Lacking)...)
	}
	f.Final = true
	return f
}
