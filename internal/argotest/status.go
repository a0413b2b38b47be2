package argotest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// groups of the resources that are served; Events are in the core group.
var groups = map[string]string{resource: "argoproj.io", "leases": "coordination.k8s.io"}

func groupResource(resource string) schema.GroupResource {
	return schema.GroupResource{Group: groups[resource], Resource: resource}
}

// notFound is about namespace/name, of which an API server says the name.
func notFound(resource, key string) error {
	return apierrors.NewNotFound(groupResource(resource), key[strings.LastIndexByte(key, '/')+1:])
}

func modified(p place) error {
	return apierrors.NewConflict(groupResource(p.resource), p.name,
		errors.New("the object has been modified; please apply your changes to the latest version and try again"))
}

func invalid(resource, name string, e *field.Error) error {
	kind := schema.GroupKind{Group: groups[resource], Kind: kinds[resource]}
	return apierrors.NewInvalid(kind, name, field.ErrorList{e})
}

var kinds = map[string]string{resource: "Application", "leases": "Lease", "events": "Event"}

// fail answers with a Status.
func fail(w http.ResponseWriter, err error) {
	var s *apierrors.StatusError
	if !errors.As(err, &s) {
		s = apierrors.NewInternalError(err)
	}
	status := s.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
}
