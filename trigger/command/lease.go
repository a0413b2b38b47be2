package command

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/proerror77/nova-staging/trigger/cluster"
)

type leaseFlags struct {
	name, namespace        string
	duration, renew, retry time.Duration
}

func (f *leaseFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.name, "lease-name", "nova-trigger", "the Lease")
	s.StringVar(&f.namespace, "lease-namespace", "", "its namespace (default: the Pod's own)")
	s.DurationVar(&f.duration, "lease-duration", 15*time.Second, "another replica takes over when the Lease was not renewed for this long")
	s.DurationVar(&f.renew, "lease-renew-deadline", 10*time.Second, "stop acting when it could not be renewed for this long")
	s.DurationVar(&f.retry, "lease-retry-period", 2*time.Second, "try to get or renew it this often")
}

// lease elects the replica that acts.
type lease struct {
	flags    leaseFlags
	conn     *cluster.Connection
	identity string

	mu     sync.Mutex
	holder string
}

// with makes a lease. The identity holds the address of the board, so that a
// replica that stands by can ask the one that acts.
func (f leaseFlags) with(env func(string) string, conn *cluster.Connection, listen string) *lease {
	if f.namespace == "" {
		f.namespace = conn.Namespace
	}
	id := fmt.Sprintf("%s_%d", identityName(env), time.Now().UnixNano()%1_000_000)
	if ip := env("POD_IP"); ip != "" {
		if _, port, err := net.SplitHostPort(listen); err == nil {
			id += "_" + net.JoinHostPort(ip, port)
		}
	}
	return &lease{flags: f, conn: conn, identity: id}
}

// actEnds is how long what is under way may take to end.
const actEnds = 10 * time.Second

// run lets act run while the Lease is held, again and again until ctx ends. The
// Lease is given back only when act has ended: two must not act.
func (l *lease) run(ctx context.Context, act func(context.Context), log *slog.Logger) error {
	for ctx.Err() == nil {
		if err := l.term(ctx, act, log); err != nil {
			return err
		}
	}
	return nil
}

// term is one term: from waiting for the Lease to losing it or giving it back.
func (l *lease) term(ctx context.Context, act func(context.Context), log *slog.Logger) error {
	f := l.flags
	electing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var mu sync.Mutex
	acting := false
	ended := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: f.name, Namespace: f.namespace},
			Client:     l.conn.Typed.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: l.identity},
		},
		LeaseDuration: f.duration, RenewDeadline: f.renew, RetryPeriod: f.retry, Name: f.name, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				defer close(ended)
				mu.Lock()
				acting = ctx.Err() == nil
				mu.Unlock()
				if !acting {
					return
				}
				term, cancel := context.WithCancel(ctx)
				defer cancel()
				defer context.AfterFunc(leading, cancel)()
				act(term)
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(id string) {
				l.mu.Lock()
				l.holder = id
				l.mu.Unlock()
				log.Info("leader", "identity", id)
			},
		},
	})
	if err != nil {
		return usage("leader election: %v", err)
	}
	context.AfterFunc(ctx, func() {
		mu.Lock()
		wait := acting
		mu.Unlock()
		if wait {
			select {
			case <-ended:
			case <-time.After(actEnds):
			}
		}
		stop()
	})
	elector.Run(electing)
	if ctx.Err() != nil {
		return nil
	}
	log.Warn("the Lease is lost", "lease", f.namespace+"/"+f.name)
	select {
	case <-ended:
		return nil
	case <-time.After(actEnds):
		return fmt.Errorf("the Lease %s/%s is lost, and what was under way did not end within %s", f.namespace, f.name, actEnds)
	}
}

// leader is the replica that acts: its name and the address of its board, empty
// when not known.
func (l *lease) leader() (name, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	parts := strings.SplitN(l.holder, "_", 3)
	if len(parts) == 3 {
		address = parts[2]
	}
	return parts[0], address
}
