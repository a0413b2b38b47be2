package watch

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// paged lists that many Applications, in pages.
type paged struct {
	dynamic.ResourceInterface
	many  int
	calls int
}

func (p *paged) List(_ context.Context, o metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	p.calls++
	from, _ := strconv.Atoi(o.Continue)
	to := min(from+int(o.Limit), p.many)
	page := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationList"}}
	page.SetResourceVersion("7")
	for i := from; i < to; i++ {
		page.Items = append(page.Items, unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": fmt.Sprint(i)}, "status": map[string]any{"resources": []any{"large"}},
		}})
	}
	if to < p.many {
		page.SetContinue(strconv.Itoa(to))
	}
	return page, nil
}

func TestAllPagesOfApplicationsAreRead(t *testing.T) {
	t.Parallel()
	for many, calls := range map[int]int{0: 1, 100: 1, 101: 2, 250: 3} {
		p := &paged{many: many}
		got, err := (&Watcher{}).list(t.Context(), p, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all, _ := got.(*unstructured.UnstructuredList)
		if len(all.Items) != many || p.calls != calls || all.GetResourceVersion() != "7" || all.GetKind() != "ApplicationList" {
			t.Errorf("%d of %d in %d calls, at %s", len(all.Items), many, p.calls, all.GetResourceVersion())
		}
		for i, a := range all.Items {
			if _, large, _ := unstructured.NestedSlice(a.Object, "status", "resources"); large || a.GetName() != fmt.Sprint(i) {
				t.Fatalf("number %d is %v", i, a.Object)
			}
		}
	}
}
