package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/apply"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/move"
)

// manual is what the verbs for people and CI have in common.
type manual struct {
	p         *program
	app       *applicationFlag
	wait      bool
	timeout   time.Duration
	poll      time.Duration
	interrupt bool
	force     bool
	reason    string
	noBack    bool

	conn   *cluster.Connection
	writer *apply.Writer
}

func (m *manual) register(c *cobra.Command) {
	m.app = applicationOf(c)
	f := c.Flags()
	f.BoolVarP(&m.wait, "wait", "w", false, "wait for the verdict")
	f.DurationVar(&m.timeout, "timeout", 55*time.Minute, "give up after this long")
	f.DurationVar(&m.poll, "poll-interval", time.Second, "look at the Application this often")
	f.BoolVar(&m.interrupt, "interrupt", false, "do not wait for a sync that is running")
	f.StringVar(&m.reason, "reason", "", "why, for the record")
	m.p.outputFlag(c)
}

// result is what a verb prints.
type result struct {
	Application string    `json:"application"`
	From        string    `json:"from,omitempty"`
	Instant     time.Time `json:"instant,omitzero"`
	Verdict     string    `json:"verdict,omitempty"`
	Message     string    `json:"message,omitempty"`
	// Bad is the instant that failed, when it was rolled back from.
	Bad     time.Time `json:"bad,omitzero"`
	Seconds float64   `json:"seconds"`
}

func (p *program) once() *cobra.Command {
	m := &manual{p: p}
	c := &cobra.Command{
		Use: "once", Short: "Move as-of to now, and with --wait say what became of it",
		Long: `Move an Application's as-of to now: whatever has been pushed by now is deployed.

With --wait it follows the sync and its smoke test on standard error, and the
verdict is the exit status. A sync that fails is rolled back, by this program or
by "trigger watch", whichever is first.`,
		Example: "  trigger once --application argocd/nova-staging --wait",
		RunE: func(c *cobra.Command, _ []string) error {
			var asked time.Time
			return m.run(c.Context(), func(app *application.Application, now move.Now) (application.Change, error) {
				// Instants have whole seconds: the present one's would leave out what was
				// pushed within it, just before this was asked for.
				if asked.IsZero() {
					asked = now.Registry
				}
				newest := asked
				if p := app.Record.Pending; p != nil && p.Newest.After(newest) {
					newest = p.Newest
				}
				to, again := move.Instant(now, app, newest)
				if !again.IsZero() {
					return application.Change{}, &ahead{app.AsOf, now.Registry}
				}
				change := move.Forward(now, app, to, m.by(), app.Record.Pending)
				if m.reason != "" {
					change.Record.Reason = m.reason
				} else if change.Record.Reason == "" {
					change.Record.Reason = "asked for"
				}
				return change, nil
			})
		},
	}
	m.register(c)
	c.Flags().BoolVar(&m.force, "force", false, "move even if the Application is held")
	c.Flags().BoolVar(&m.noBack, "no-rollback", false, "do not roll back when the sync fails (watch may)")
	return c
}

func (p *program) rollback() *cobra.Command {
	m := &manual{p: p, force: true}
	var to string
	var hold bool
	c := &cobra.Command{
		Use: "rollback", Short: "Move as-of back to the last instant that passed",
		Long: `Move an Application's as-of back, by default to the last deployment in its history
that was made at an earlier instant than what runs. Only pushes that are newer than the instant
it comes from are deployed after that; with --hold, none until release.`,
		Example: "  trigger rollback --application argocd/nova-staging --wait\n  trigger rollback --application argocd/nova-staging --to 2026-11-20T12:00:00Z --hold",
		RunE: func(c *cobra.Command, _ []string) error {
			var target time.Time
			if to != "" {
				var err error
				if target, err = application.ParseInstant(to); err != nil {
					return usage("--to: %v", err)
				}
			}
			return m.run(c.Context(), func(app *application.Application, now move.Now) (application.Change, error) {
				at := target
				if at.IsZero() {
					present := app.Since()
					last, ok := app.LastGood(present)
					if !ok {
						return application.Change{}, fmt.Errorf("%w: the history of %s has no deployment before %s; give --to", errNothingToDo, app.Key(), application.FormatInstant(present))
					}
					at = last.AsOf
				}
				if !at.Before(app.AsOf) {
					return application.Change{}, usage("--to %s is not before %s, where as-of stands", application.FormatInstant(at), application.FormatInstant(app.AsOf))
				}
				why := m.reason
				if why == "" {
					why = "asked for"
				}
				change := move.Back(now, app, at, m.by(), why)
				if hold {
					text := "rolled back by " + m.by() + ": " + why
					change.Hold = &text
				}
				return change, nil
			})
		},
	}
	m.register(c)
	c.Flags().StringVar(&to, "to", "", "the instant to go back to (default: the last deployment before the present one)")
	c.Flags().BoolVar(&hold, "hold", false, "and hold until release")
	return c
}

// ahead says that the instant to set has not come yet.
type ahead struct{ asOf, now time.Time }

func (a *ahead) Error() string {
	if !a.asOf.After(a.now) {
		return "the instant that takes in what was just pushed has not come yet"
	}
	return "as-of stands at " + application.FormatInstant(a.asOf) + ", which has not come yet"
}

// by is who acts, for the record.
func (m *manual) by() string {
	for _, name := range []string{"GITHUB_ACTOR", "GITLAB_USER_LOGIN", "USER", "LOGNAME"} {
		if v := m.p.Env(name); v != "" {
			return v
		}
	}
	return "trigger " + "once"
}

// say tells what goes on. It goes to standard error in every form of output, so that
// standard output is one document.
func (m *manual) say(format string, args ...any) {
	fmt.Fprintf(m.p.Stderr, format+"\n", args...)
}

// now takes the API server's clock for the registry's: both are AWS's, and CI's
// may be wrong.
func (m *manual) now() move.Now {
	wall := time.Now()
	server := wall.Add(m.conn.Clock.Offset())
	return move.Now{Wall: server, Registry: server}
}

// run moves and, if asked to, waits.
func (m *manual) run(ctx context.Context, change func(*application.Application, move.Now) (application.Change, error)) error {
	if err := m.app.required(); err != nil {
		return err
	}
	if m.timeout <= 0 || m.poll <= 0 {
		return usage("--timeout and --poll-interval must be more than 0")
	}
	var err error
	if m.conn, err = m.p.connect(); err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	m.writer = &apply.Writer{Client: m.conn, Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler)}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, m.timeout, errWaitDeadline)
	defer cancel()
	app, err := m.move(ctx, change)
	if err == nil && m.wait {
		app, err = m.follow(ctx, app)
	}
	if err != nil && context.Cause(ctx) == errWaitDeadline {
		err = fmt.Errorf("%w: %w", errWaitDeadline, err)
	}
	if app == nil {
		return err
	}
	r := app.Record
	res := result{
		Application: app.Key(), From: r.From, Instant: r.Instant, Verdict: string(r.Verdict), Message: r.Message,
		Bad: r.Bad, Seconds: float64(time.Since(began).Milliseconds()) / 1000,
	}
	if r.Kind == application.Rollback && r.BadMessage != "" {
		res.Message = r.BadMessage
	}
	if perr := m.p.print(res, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s\n", app.Key(), orText(r.Summary(), "as-of "+application.FormatInstant(app.AsOf)))
		return err
	}); perr != nil {
		return errors.Join(err, perr)
	}
	return err
}

func orText(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// move waits until as-of may move, and moves it. The Application is nil when
// nothing was moved.
func (m *manual) move(ctx context.Context, change func(*application.Application, move.Now) (application.Change, error)) (*application.Application, error) {
	said := ""
	var failing time.Time
	for {
		app, err := m.conn.Get(ctx, m.app.namespace, m.app.name)
		switch {
		case err == nil:
			failing = time.Time{}
		case ctx.Err() != nil && said != "":
			return nil, fmt.Errorf("application %s: as-of was not moved: %s", m.app, said)
		// Nothing has been written: nothing can be done twice.
		case said != "" && m.endures(&failing, err):
			pause(ctx, m.poll)
			continue
		default:
			return nil, m.unreachable(err)
		}
		busy := ""
		action, after, err := m.writer.Apply(ctx, app, func(app *application.Application) (move.Action, error) {
			busy = ""
			switch {
			case app.Broken != nil:
				return move.Action{}, fmt.Errorf("application %s: %w", app.Key(), app.Broken)
			case app.Settings.Hold != "" && !m.force:
				return move.Action{}, fmt.Errorf("application %s is %w: %s; see trigger release, or --force", app.Key(), errHeld, app.Settings.Hold)
			}
			if busy = move.Busy(app); busy != "" && !m.interrupt {
				return move.Action{}, nil
			}
			c, err := change(app, m.now())
			var early *ahead
			if errors.As(err, &early) {
				busy = early.Error()
				return move.Action{}, nil
			}
			return move.Action{Outcome: move.Moved, Change: c}, err
		})
		if err != nil {
			return nil, m.unreachable(err)
		}
		if action.Outcome == move.Moved {
			m.say("%s: as-of %s → %s", after.Key(), action.Change.Record.From, application.FormatInstant(action.Change.To))
			return after, nil
		}
		if busy != said && (said != "" || !strings.HasSuffix(busy, "not come yet")) {
			m.say("%s: waiting, %s", app.Key(), busy)
		}
		said = busy
		if !pause(ctx, m.poll) {
			return nil, fmt.Errorf("application %s: as-of was not moved: %s", app.Key(), busy)
		}
	}
}

func (m *manual) unreachable(err error) error {
	for _, known := range []error{cluster.ErrNotFound, cluster.ErrDenied, cluster.ErrChanged, application.ErrNotMovable, errHeld, errUsage, errNothingToDo, context.Canceled} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", errUnreachable, err)
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
