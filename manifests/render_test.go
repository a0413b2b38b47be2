// Package manifests_test holds the manifests to what the README and the design
// promise: every overlay is rendered in process, decoded strictly into the
// typed API, and compared with the tables in this package.
package manifests_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// overlay is what one environment must be.
type overlay struct {
	name      string // folder under nova/overlays
	namespace string
	replicas  int32
	appEnv    string
	logLevel  string
	domain    string
	// resources by service; the entry "" is for all that are not named.
	resources map[string]resources
}

// resources of one service's container, as its Pods must carry them.
type resources struct{ cpuRequest, memoryRequest, cpuLimit, memoryLimit string }

func (o overlay) resourcesOf(service string) resources {
	if r, ok := o.resources[service]; ok {
		return r
	}
	return o.resources[""]
}

func (o overlay) dir() string { return filepath.Join("nova", "overlays", o.name) }

var overlays = []overlay{
	{
		name: "dev", namespace: "nova-dev", replicas: 1,
		appEnv: "development", logLevel: "debug", domain: "dev.nova.example.com",
		resources: map[string]resources{"": {"50m", "128Mi", "500m", "512Mi"}},
	},
	{
		// The table of the architecture document, row by row.
		name: "staging", namespace: "nova", replicas: 2,
		appEnv: "staging", logLevel: "info", domain: "staging.nova.example.com",
		resources: map[string]resources{
			"auth-service":      {"100m", "256Mi", "500m", "512Mi"},
			"user-service":      {"100m", "256Mi", "500m", "512Mi"},
			"content-service":   {"100m", "256Mi", "500m", "512Mi"},
			"feed-service":      {"100m", "512Mi", "500m", "1Gi"},
			"media-service":     {"100m", "512Mi", "500m", "1Gi"},
			"messaging-service": {"100m", "512Mi", "500m", "1Gi"},
			"search-service":    {"200m", "512Mi", "1000m", "2Gi"},
			"streaming-service": {"100m", "512Mi", "500m", "1Gi"},
		},
	},
	{
		name: "prod", namespace: "nova-prod", replicas: 3,
		appEnv: "production", logLevel: "info", domain: "nova.example.com",
		resources: map[string]resources{
			"auth-service":    {"250m", "512Mi", "1", "1Gi"},
			"user-service":    {"250m", "512Mi", "1", "1Gi"},
			"content-service": {"250m", "512Mi", "1", "1Gi"},
			"search-service":  {"1", "2Gi", "2", "4Gi"},
			"":                {"500m", "1Gi", "2", "2Gi"},
		},
	},
}

// eachOverlay runs f as a parallel subtest on every rendered overlay.
func eachOverlay(t *testing.T, f func(t *testing.T, o overlay, r *rendered)) {
	t.Helper()
	for _, o := range overlays {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			f(t, o, render(t, o.dir()))
		})
	}
}

// rendered is the outcome of one kustomization. Tests share it and must not
// change its objects: DeepCopy first.
type rendered struct {
	yaml    []byte
	objects []object
}

// object is one document of the render, typed and as it was written.
type object struct {
	typed interface {
		runtime.Object
		metav1.Object
	}
	raw map[string]any
}

func (o object) String() string {
	return o.typed.GetObjectKind().GroupVersionKind().Kind + " " + o.typed.GetName()
}

// all gives the objects of one type, in the order of the render.
func all[T runtime.Object](r *rendered) []T {
	var found []T
	for _, o := range r.objects {
		if typed, ok := o.typed.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// one gives the only object of its type.
func one[T runtime.Object](t *testing.T, r *rendered) T {
	t.Helper()
	found := all[T](r)
	if len(found) != 1 {
		t.Fatalf("found %d objects of type %T, want 1", len(found), *new(T))
	}
	return found[0]
}

// named gives the objects of one type by name.
func named[T interface {
	runtime.Object
	metav1.Object
}](r *rendered) map[string]T {
	found := map[string]T{}
	for _, o := range all[T](r) {
		found[o.GetName()] = o
	}
	return found
}

var renders sync.Map // folder -> func() (*rendered, error)

// render builds the kustomization in dir, once for all tests.
func render(t *testing.T, dir string) *rendered {
	t.Helper()
	once, _ := renders.LoadOrStore(dir, sync.OnceValues(func() (*rendered, error) {
		return build(filesys.MakeFsOnDisk(), dir)
	}))
	r, err := once.(func() (*rendered, error))()
	if err != nil {
		t.Fatalf("render %s: %v", dir, err)
	}
	return r
}

// apis are the groups that the manifests may use.
var apis = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme,
		networkingv1.AddToScheme, policyv1.AddToScheme, admissionv1.AddToScheme, rbacv1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

func build(fs filesys.FileSystem, dir string) (*rendered, error) {
	resMap, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, dir)
	if err != nil {
		return nil, err
	}
	data, err := resMap.AsYaml()
	if err != nil {
		return nil, err
	}
	objects, err := decode(data)
	if err != nil {
		return nil, err
	}
	return &rendered{yaml: data, objects: objects}, nil
}

// decode reads every document strictly: a field that the type does not have, or
// that is given twice, is an error.
func decode(data []byte) ([]object, error) {
	var objects []object
	for _, doc := range bytes.Split(data, []byte("\n---\n")) {
		var raw map[string]any
		if err := yaml.UnmarshalStrict(doc, &raw); err != nil {
			return nil, err
		}
		apiVersion, _ := raw["apiVersion"].(string)
		kind, _ := raw["kind"].(string)
		typed, err := apis.New(schema.FromAPIVersionAndKind(apiVersion, kind))
		if err != nil {
			return nil, fmt.Errorf("%w: if it is wanted, add its group to apis", err)
		}
		o := object{raw: raw}
		if err := yaml.UnmarshalStrict(doc, typed); err != nil {
			return nil, fmt.Errorf("%s %s: %w", apiVersion, kind, err)
		}
		ok := false
		if o.typed, ok = typed.(interface {
			runtime.Object
			metav1.Object
		}); !ok {
			return nil, fmt.Errorf("%s %s has no metadata", apiVersion, kind)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// pod is a Pod template of the render and the object that it belongs to.
type pod struct {
	owner    string // for example "Deployment auth-service"
	template corev1.PodTemplateSpec
}

// pods gives every Pod template: of services, and of Jobs such as the smoke hook.
func pods(r *rendered) []pod {
	var found []pod
	for _, o := range r.objects {
		switch x := o.typed.(type) {
		case *appsv1.Deployment:
			found = append(found, pod{o.String(), x.Spec.Template})
		case *appsv1.StatefulSet:
			found = append(found, pod{o.String(), x.Spec.Template})
		case *appsv1.DaemonSet:
			found = append(found, pod{o.String(), x.Spec.Template})
		case *batchv1.Job:
			found = append(found, pod{o.String(), x.Spec.Template})
		case *batchv1.CronJob:
			found = append(found, pod{o.String(), x.Spec.JobTemplate.Spec.Template})
		case *corev1.Pod:
			found = append(found, pod{o.String(), corev1.PodTemplateSpec{ObjectMeta: x.ObjectMeta, Spec: x.Spec}})
		}
	}
	return found
}

func containers(spec corev1.PodSpec) []corev1.Container {
	return append(append([]corev1.Container{}, spec.InitContainers...), spec.Containers...)
}
