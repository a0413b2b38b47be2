package watch

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/push"
)

// using is an Application with as-of a minute ago: what was pushed long before needs
// no move.
func using(name string, together bool, images ...string) *application.Application {
	a := &application.Application{
		ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: name}, Selected: true,
		AsOf: time.Now().Add(-time.Minute), Settings: application.Settings{Together: together},
	}
	for _, i := range images {
		a.Images = append(a.Images, "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/"+i+":1")
	}
	return a
}

// pushed is an image of a commit.
func pushed(repository string, ago time.Duration) push.Push {
	r := push.Repository{Account: "025434362120", Region: "ap-northeast-1", Name: repository}
	return push.Polled(r, "sha256:"+strings.Repeat("a", 64), strings.Repeat("9f", 20), time.Now().Add(-ago))
}

func TestWhenADeliveryIsDone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		push  push.Push
		done  bool     // at once
		taken []string // by whom, so that it is
	}{
		{"at once when nobody uses the repository", pushed("nova/web", 0), true, nil},
		{"at once when all have it", pushed("nova/auth", time.Hour), true, nil},
		{"when the one that uses it has taken it", pushed("nova/user", 0), false, []string{"argocd/b"}},
		{"when each of two has taken it", pushed("nova/auth", 0), false, []string{"argocd/a", "argocd/b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := knowing(t, using("a", false, "nova/auth"), using("b", false, "nova/auth", "nova/user"))
			done := 0
			w.Deliver(push.Delivery{Push: tt.push, Done: func() { done++ }})
			if (done == 1) != tt.done || w.WaitingPushes() != len(tt.taken) {
				t.Fatalf("done %d times, %d wait; want %d", done, w.WaitingPushes(), len(tt.taken))
			}
			for _, key := range tt.taken {
				if done != 0 {
					t.Errorf("done before %s has taken it", key)
				}
				w.tracker.Take(key, []push.Push{tt.push})
			}
			if done != 1 {
				t.Errorf("done %d times", done)
			}
		})
	}
}

// The first half of a set is in force already, as by an image that another deployed.
func TestASetIsCompletedByAPushThatNeedsNoMove(t *testing.T) {
	t.Parallel()
	a := using("a", true, "nova/auth", "nova/user")
	w := knowing(t, a)
	for _, p := range []push.Push{pushed("nova/auth", time.Hour), pushed("nova/user", 0)} {
		w.Deliver(push.Delivery{Push: p, Done: func() {}})
	}
	if b := w.Waiting(a); len(b.Pushes) != 1 || b.Have != 2 || b.Ready.After(time.Now()) {
		t.Errorf("%+v, want one push that waits for no other", b)
	}
}
