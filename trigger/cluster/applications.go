package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/proerror77/nova-staging/trigger/application"
)

var (
	// ErrNotFound is returned for an Application that does not exist.
	ErrNotFound = errors.New("application not found")
	// ErrChanged is returned for a patch that does not fit the Application any
	// more: read it again and decide again.
	ErrChanged = errors.New("the application was changed meanwhile")
	// ErrDenied is returned when the API server refuses for lack of rights.
	ErrDenied = errors.New("access denied")
)

// FieldManager is the name under which the API server records what trigger owns.
const FieldManager = "nova-trigger"

// Get reads an Application from the API server.
func (c *Connection) Get(ctx context.Context, namespace, name string) (*application.Application, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	u, err := c.Dynamic.Resource(application.Resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, classify("read", namespace, name, err)
	}
	return application.Parse(u), nil
}

// List reads the Applications of a namespace, or of all, in pages.
func (c *Connection) List(ctx context.Context, namespace, selector string) ([]*application.Application, error) {
	var all []*application.Application
	o := metav1.ListOptions{LabelSelector: selector, Limit: 100}
	for {
		page, err := c.Dynamic.Resource(application.Resource).Namespace(namespace).List(ctx, o)
		if err != nil {
			return nil, classify("list", namespace, "*", err)
		}
		for i := range page.Items {
			all = append(all, application.Parse(&page.Items[i]))
		}
		if o.Continue = page.GetContinue(); o.Continue == "" {
			return all, nil
		}
	}
}

// Patch applies a JSON patch to an Application and gives the result. After an error
// other than [ErrChanged] it may have been applied all the same.
func (c *Connection) Patch(ctx context.Context, app *application.Application, patch []byte) (*application.Application, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	u, err := c.Dynamic.Resource(application.Resource).Namespace(app.Namespace).
		Patch(ctx, app.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	if err != nil {
		return nil, classify("change", app.Namespace, app.Name, err)
	}
	return application.Parse(u), nil
}

func classify(verb, namespace, name string, err error) error {
	what := fmt.Sprintf("%s application %s/%s", verb, namespace, name)
	var status apierrors.APIStatus
	switch {
	case apierrors.IsNotFound(err):
		if errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Name == "" {
			return fmt.Errorf("%s: %w: the API server knows no Applications; is Argo CD installed?", what, ErrNotFound)
		}
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: %w: %w", what, ErrDenied, err)
	case apierrors.IsConflict(err), apierrors.IsInvalid(err):
		// A test of a JSON patch that fails is Invalid, as is what an admission
		// policy refuses: whoever retries sees by the resourceVersion which.
		return fmt.Errorf("%s: %w: %w", what, ErrChanged, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

var eventNumber atomic.Uint64

// Event writes an Event on an Application.
func (c *Connection) Event(ctx context.Context, app *application.Application, warning bool, reason, message string) error {
	now := metav1.NewTime(time.Now())
	kind := corev1.EventTypeNormal
	if warning {
		kind = corev1.EventTypeWarning
	}
	if len(message) > 1000 {
		message = message[:1000]
	}
	n := strconv.FormatUint(uint64(now.UnixNano()), 36) + strconv.FormatUint(eventNumber.Add(1), 36)
	_, err := c.Typed.CoreV1().Events(app.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: app.Name + "." + n, Namespace: app.Namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: application.Resource.GroupVersion().String(), Kind: "Application",
			Namespace: app.Namespace, Name: app.Name, UID: app.UID, ResourceVersion: app.ResourceVersion,
		},
		Reason: reason, Message: message, Type: kind, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: FieldManager}, ReportingController: FieldManager, Action: reason,
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("write an Event on application %s: %w", app.Key(), err)
	}
	return nil
}
