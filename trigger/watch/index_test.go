package watch

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/push"
)

// TestWhoAPushConcerns follows Applications as they change. What was asked before a
// change must not be answered from memory after it.
func TestWhoAPushConcerns(t *testing.T) {
	t.Parallel()
	const host = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/"
	app := func(name string, images, synced, globs []string) *application.Application {
		a := &application.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: name}, Images: images, Synced: synced}
		a.Settings.Repositories = globs
		return a
	}
	x := newIndex()
	for _, tt := range []struct {
		name       string
		change     func()
		auth, user []string // who a push to either concerns
	}{
		{"nobody is known", func() {}, nil, nil},
		{"a live image", func() { x.set(app("a", []string{host + "nova/auth:1"}, nil, nil)) }, []string{"argocd/a"}, nil},
		{"an image of the last sync, of another", func() { x.set(app("b", nil, []string{host + "nova/user:1"}, nil)) }, []string{"argocd/a"}, []string{"argocd/b"}},
		{"another image", func() { x.set(app("a", []string{host + "nova/user:1"}, nil, nil)) }, nil, []string{"argocd/a", "argocd/b"}},
		{"a glob that comes", func() { x.set(app("b", nil, nil, []string{host + "nova/*"})) }, []string{"argocd/b"}, []string{"argocd/a", "argocd/b"}},
		{"a glob that changes", func() { x.set(app("b", nil, nil, []string{host + "nova/us*"})) }, nil, []string{"argocd/a", "argocd/b"}},
		{"a glob and the image that it matches", func() {
			x.set(app("b", []string{host + "nova/user:1"}, nil, []string{host + "nova/us*"}))
		}, nil, []string{"argocd/a", "argocd/b"}},
		{"a glob that comes beside one", func() { x.set(app("a", nil, nil, []string{host + "nova/au*"})) }, []string{"argocd/a"}, []string{"argocd/b"}},
		{"one that goes", func() { x.remove("argocd/a") }, nil, []string{"argocd/b"}},
		{"the last that goes", func() { x.remove("argocd/b") }, nil, nil},
	} {
		tt.change()
		for repository, want := range map[string][]string{"nova/auth": tt.auth, "nova/user": tt.user} {
			r := push.Repository{Account: "025434362120", Region: "ap-northeast-1", Name: repository}
			if got := slices.Sorted(slices.Values(x.of(r))); !slices.Equal(got, want) {
				t.Errorf("%s: a push to %s concerns %q, want %q", tt.name, repository, got, want)
			}
		}
	}
	if n := len(x.repositories()); n != 0 {
		t.Errorf("%d repositories are left", n)
	}
}
