package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// script is an API server that does one thing after the other.
type script struct {
	calls  []string
	lists  []string // the version that each list has; "error" for none
	events [][]watch.Event
	hangs  bool // a watch for which nothing is scripted stays open; else it ends at once
}

func (s *script) list(context.Context, metav1.ListOptions) (runtime.Object, error) {
	s.calls = append(s.calls, "list")
	version := s.lists[0]
	s.lists = append(s.lists[1:], version)
	if version == "error" {
		return nil, errors.New("etcdserver: leader changed")
	}
	return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: version}}, nil
}

func (s *script) watch(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
	s.calls = append(s.calls, "watch "+o.ResourceVersion)
	w := watch.NewFakeWithOptions(watch.FakeOptions{ChannelSize: 10})
	if len(s.events) == 0 {
		if !s.hangs {
			w.Stop()
		}
		return w, nil
	}
	for _, e := range s.events[0] {
		if e.Type == watch.Error && e.Object == nil {
			s.events = s.events[1:]
			expired := apierrors.NewResourceExpired("too old")
			return nil, expired
		}
		w.Action(e.Type, e.Object)
	}
	s.events = s.events[1:]
	w.Stop()
	return w, nil
}

func TestWatchesGoOnWhereTheyWere(t *testing.T) {
	t.Parallel()
	pod := func(version string) runtime.Object {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a", UID: types.UID("a"), ResourceVersion: version}}
	}
	gone := apierrors.NewResourceExpired("too old resource version").Status()
	broken := apierrors.NewInternalError(errors.New("etcd")).Status()
	tests := []struct {
		name  string
		s     script
		calls string
		err   string // what is wrong with the view in the end
	}{
		{"a stream that ends", script{lists: []string{"10"}, events: [][]watch.Event{{{Type: watch.Added, Object: pod("12")}}}, hangs: true}, "list, watch 10, watch 12", ""},
		{"a stream whose last word is a bookmark", script{lists: []string{"10"}, events: [][]watch.Event{{{Type: watch.Bookmark, Object: pod("20")}}}, hangs: true}, "list, watch 10, watch 20", ""},
		{"a stream that says that its version is gone", script{lists: []string{"10", "30"}, events: [][]watch.Event{{{Type: watch.Error, Object: &gone}}}, hangs: true}, "list, watch 10, list, watch 30", ""},
		{"a watch that is refused because its version is gone", script{lists: []string{"10", "30"}, events: [][]watch.Event{{{Type: watch.Error}}}, hangs: true}, "list, watch 10, list, watch 30", ""},
		{"a stream that says that something went wrong", script{lists: []string{"10"}, events: [][]watch.Event{{{Type: watch.Error, Object: &broken}}}, hangs: true}, "list, watch 10, watch 10", ""},
		{"a list without a version", script{lists: []string{""}, hangs: true}, "list, watch ", ""},
		{"a list that fails at first", script{lists: []string{"error", "10"}, hangs: true}, "list, list, watch 10", ""},
		{"lists that fail", script{lists: []string{"error"}}, "list, list, list, list, list, list, list, list", "leader changed"},
		{"streams that end at once are not asked for in a tight loop", script{lists: []string{"10"}}, "list, watch 10, watch 10, watch 10, watch 10, watch 10, watch 10, watch 10, watch 10", "ended the watch at once"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := NewWatcher(nil, Wanted{Namespace: "nova"})
				w.expect([]string{Pods})
				ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
				defer cancel()
				w.follow(ctx, Pods, source{list: tt.s.list, watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
					stream, err := tt.s.watch(ctx, o)
					if err == nil {
						context.AfterFunc(ctx, stream.Stop)
					}
					return stream, err
				}})
				if got := strings.Join(tt.s.calls, ", "); got != tt.calls {
					t.Errorf("asked %s\nwant  %s", got, tt.calls)
				}
				if err := w.Err(); (err == nil) != (tt.err == "") || !strings.Contains(fmt.Sprint(err), tt.err) {
					t.Errorf("the view has %v, want %q", err, tt.err)
				}
			})
		})
	}
}

// A list in pieces would look like a namespace with fewer Pods.
func TestAPartOfAListIsNoList(t *testing.T) {
	t.Parallel()
	_, err := from(partial{}, "").list(t.Context(), metav1.ListOptions{})
	if err == nil || !strings.Contains(err.Error(), "only a part") {
		t.Errorf("%v", err)
	}
}

type partial struct{}

func (partial) List(context.Context, metav1.ListOptions) (*corev1.PodList, error) {
	return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: "more"}}, nil
}

func (partial) Watch(context.Context, metav1.ListOptions) (watch.Interface, error) { return nil, nil }
