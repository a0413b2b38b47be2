package argotest_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/proerror77/nova-staging/internal/argotest"
)

var applications = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "applications"}

const selected = "staging.nova/trigger=true"

func serve(t *testing.T, names ...string) (*argotest.Server, dynamic.ResourceInterface, kubernetes.Interface) {
	t.Helper()
	s := argotest.New()
	t.Cleanup(s.Close)
	for _, n := range names {
		s.Add(argotest.App{Name: n, AsOf: "2026-11-20T12:00:00Z"})
	}
	cfg := &rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}
	d, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	k, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, d.Resource(applications).Namespace("argocd"), k
}

// event is one of a watch in short.
type event struct {
	Kind    watch.EventType
	Name    string
	Trigger string // the label's value
}

func follow(t *testing.T, apps dynamic.ResourceInterface, o metav1.ListOptions) (next func() (event, *unstructured.Unstructured)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	w, err := apps.Watch(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return func() (event, *unstructured.Unstructured) {
		t.Helper()
		e, open := <-w.ResultChan()
		if !open {
			t.Fatal("the watch ended")
		}
		u, ok := e.Object.(*unstructured.Unstructured)
		if !ok {
			t.Fatalf("%s of a %T: %v", e.Type, e.Object, e.Object)
		}
		return event{e.Type, u.GetName(), u.GetLabels()["staging.nova/trigger"]}, u
	}
}

func label(value string) func(map[string]any) {
	return func(o map[string]any) {
		o["metadata"].(map[string]any)["labels"] = map[string]any{"staging.nova/trigger": value}
	}
}

// As convertToWatchEvent of k8s.io/apiserver/pkg/storage/cacher does.
func TestAWatchWithASelectorSaysWhatComesAndGoes(t *testing.T) {
	t.Parallel()
	s, apps, _ := serve(t, "one", "two")
	all, err := apps.List(t.Context(), metav1.ListOptions{LabelSelector: selected})
	if err != nil || len(all.Items) != 2 {
		t.Fatalf("%v, %d Applications", err, len(all.Items))
	}
	next := follow(t, apps, metav1.ListOptions{LabelSelector: selected, ResourceVersion: all.GetResourceVersion()})
	s.Update("argocd", "one", label("false"))
	s.Update("argocd", "one", label("no"))
	s.Update("argocd", "one", label("true"))
	s.Update("argocd", "two", func(o map[string]any) { argotest.SetAsOf(o, "2026-11-20T13:00:00Z") })
	s.Remove("argocd", "two")
	want := []event{
		{watch.Deleted, "one", "true"}, // as it was when it was last selected
		{watch.Added, "one", "true"},
		{watch.Modified, "two", "true"},
		{watch.Deleted, "two", "true"},
	}
	last := number(t, all.GetResourceVersion())
	for _, w := range want {
		got, u := next()
		if diff := cmp.Diff(w, got); diff != "" {
			t.Fatalf("event differs (-want +got):\n%s", diff)
		}
		if at := number(t, u.GetResourceVersion()); at <= last {
			t.Errorf("%s %s at resourceVersion %d, want more than %d", got.Kind, got.Name, at, last)
		} else {
			last = at
		}
	}
}

func TestAWatchFromNowhereBeginsWithWhatIsThere(t *testing.T) {
	t.Parallel()
	s, apps, _ := serve(t, "one")
	next := follow(t, apps, metav1.ListOptions{AllowWatchBookmarks: true})
	if got, _ := next(); got.Kind != watch.Added || got.Name != "one" {
		t.Errorf("got %v, want one added", got)
	}
	s.Add(argotest.App{Name: "else", Namespace: "other"})
	s.CutWatches() // a server says before it ends a watch how far that came
	if got, u := next(); got.Kind != watch.Bookmark || number(t, u.GetResourceVersion()) <= number(t, s.Get("argocd", "one")["metadata"].(map[string]any)["resourceVersion"].(string)) {
		t.Errorf("got %v at %s, want a later bookmark", got, u.GetResourceVersion())
	}
}

func TestAWatchFromTooLongAgoIsExpired(t *testing.T) {
	t.Parallel()
	_, apps, _ := serve(t, "one")
	w, err := apps.Watch(t.Context(), metav1.ListOptions{ResourceVersion: "7"})
	if err == nil {
		defer w.Stop()
		err = apierrors.FromObject((<-w.ResultChan()).Object)
	}
	if !apierrors.IsResourceExpired(err) {
		t.Errorf("got %v, want that it is expired", err)
	}
}

func TestPagesAreOfOneMoment(t *testing.T) {
	t.Parallel()
	s, apps, _ := serve(t, "a", "b", "c", "d", "e")
	s.Update("argocd", "b", label("false"))
	o := metav1.ListOptions{LabelSelector: selected, Limit: 2}
	var names []string
	first := ""
	for {
		page, err := apps.List(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Items {
			names = append(names, u.GetName()+u.GetLabels()["x"])
		}
		if first == "" {
			first = page.GetResourceVersion()
			s.Update("argocd", "d", func(o map[string]any) {
				o["metadata"].(map[string]any)["labels"].(map[string]any)["x"] = "changed"
			})
			s.Remove("argocd", "a")
		}
		if page.GetResourceVersion() != first {
			t.Errorf("a page is of %s, the first of %s: a watch from there would miss what changed between them", page.GetResourceVersion(), first)
		}
		if o.Continue = page.GetContinue(); o.Continue == "" {
			break
		}
		if len(page.Items) != 2 {
			t.Errorf("a page of %d with more to come, want 2: the limit is of what is selected", len(page.Items))
		}
	}
	if diff := cmp.Diff([]string{"a", "c", "d", "e"}, names); diff != "" {
		t.Errorf("Applications differ (-want +got):\n%s", diff)
	}
	o.Continue = "made up"
	if _, err := apps.List(t.Context(), o); !apierrors.IsBadRequest(err) {
		t.Errorf("a token that nobody gave: %v, want a bad request", err)
	}
}

func TestAWriteThatChangesNothingIsNoChange(t *testing.T) {
	t.Parallel()
	s, apps, _ := serve(t, "one")
	before, err := apps.Get(t.Context(), "one", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	next := follow(t, apps, metav1.ListOptions{ResourceVersion: before.GetResourceVersion()})
	after, err := apps.Patch(t.Context(), "one", types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/project","value":"default"}]`), metav1.PatchOptions{})
	if err != nil || after.GetResourceVersion() != before.GetResourceVersion() {
		t.Errorf("%v, resourceVersion %s, want %s still", err, after.GetResourceVersion(), before.GetResourceVersion())
	}
	s.Update("argocd", "one", label("false"))
	if got, _ := next(); got.Trigger != "false" {
		t.Errorf("the patch that changes nothing is an event: %v", got)
	}
}

// As applyJSPatch and (*Store).Update of k8s.io/apiserver refuse.
func TestRefusalsAreAnAPIServersOwn(t *testing.T) {
	t.Parallel()
	_, apps, typed := serve(t, "one")
	patch := func(text string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := apps.Patch(ctx, "one", types.JSONPatchType, []byte(text), metav1.PatchOptions{})
			return err
		}
	}
	lease := func(f func(*coordinationv1.Lease)) func(context.Context) error {
		return func(ctx context.Context) error {
			l, err := typed.CoordinationV1().Leases("argocd").Get(ctx, "trigger", metav1.GetOptions{})
			if err != nil {
				return err
			}
			f(l)
			l.Spec.LeaseTransitions = new(int32)
			_, err = typed.CoordinationV1().Leases("argocd").Update(ctx, l, metav1.UpdateOptions{})
			return err
		}
	}
	create := func(f func(*coordinationv1.Lease)) func(context.Context) error {
		return func(ctx context.Context) error {
			l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "trigger", Namespace: "argocd"}}
			f(l)
			_, err := typed.CoordinationV1().Leases("argocd").Create(ctx, l, metav1.CreateOptions{})
			return err
		}
	}
	if err := create(func(*coordinationv1.Lease) {})(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := schema.GroupResource{Group: "argoproj.io", Resource: "applications"}
	leases := schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}
	modified := errors.New("the object has been modified; please apply your changes to the latest version and try again")
	tests := []struct {
		name string
		do   func(context.Context) error
		want *apierrors.StatusError
	}{
		{
			"a test of a patch that fails does not say which", patch(`[{"op":"test","path":"/spec/project","value":"other"}]`),
			apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", "", 0, false),
		},
		{
			"a patch that puts another resourceVersion is a conflict", patch(`[{"op":"replace","path":"/metadata/resourceVersion","value":"7"}]`),
			apierrors.NewConflict(app, "one", modified),
		},
		{"an Application that is not there", func(ctx context.Context) error {
			_, err := apps.Get(ctx, "two", metav1.GetOptions{})
			return err
		}, apierrors.NewNotFound(app, "two")},
		{"an old resourceVersion", lease(func(l *coordinationv1.Lease) { l.ResourceVersion = "7" }), apierrors.NewConflict(leases, "trigger", modified)},
		{"a Lease that is there", create(func(*coordinationv1.Lease) {}), apierrors.NewAlreadyExists(leases, "trigger")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got *apierrors.StatusError
			if err := tt.do(t.Context()); !errors.As(err, &got) {
				t.Fatalf("got %v, want a Status", err)
			}
			want := tt.want.Status()
			got.ErrStatus.TypeMeta = metav1.TypeMeta{} // typed clients drop it
			if want.Details != nil && cmp.Equal(*want.Details, metav1.StatusDetails{}) {
				want.Details = nil
			}
			if got.ErrStatus.Details != nil && cmp.Equal(*got.ErrStatus.Details, metav1.StatusDetails{}) {
				got.ErrStatus.Details = nil
			}
			if diff := cmp.Diff(want, got.Status()); diff != "" {
				t.Errorf("Status differs (-want +got):\n%s", diff)
			}
		})
	}
	for name, tt := range map[string]struct {
		do func(context.Context) error
		is func(error) bool
	}{
		"an update without a resourceVersion":  {lease(func(l *coordinationv1.Lease) { l.ResourceVersion = "" }), apierrors.IsInvalid},
		"a resourceVersion of what is created": {create(func(l *coordinationv1.Lease) { l.Name, l.ResourceVersion = "x", "7" }), apierrors.IsInternalError},
		"an Event on an object of another namespace": {func(ctx context.Context) error {
			_, err := typed.CoreV1().Events("argocd").Create(ctx, &corev1.Event{
				ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: "argocd"}, InvolvedObject: corev1.ObjectReference{Namespace: "other", Name: "one"},
			}, metav1.CreateOptions{})
			return err
		}, apierrors.IsInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.do(t.Context()); !tt.is(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnApplicationThatIsMadeAnewIsAnother(t *testing.T) {
	t.Parallel()
	s, apps, _ := serve(t, "one")
	uid := func() types.UID {
		u, err := apps.Get(t.Context(), "one", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return u.GetUID()
	}
	before := uid()
	s.Update("argocd", "one", label("x"))
	if uid() != before {
		t.Error("a change gave it another UID")
	}
	s.Remove("argocd", "one")
	s.Add(argotest.App{Name: "one"})
	if uid() == before {
		t.Error("it has the UID of the one before")
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
