package command

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/apply"
	"github.com/proerror77/nova-staging/trigger/board"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/move"
	"github.com/proerror77/nova-staging/trigger/settle"
)

func (p *program) hold() *cobra.Command {
	m := &manual{p: p}
	c := &cobra.Command{
		Use: "hold", Short: "Let nothing move as-of until release",
		Long:    "Hold an Application: pushes are remembered, and nothing is deployed or rolled\nback until release. The same as the annotation " + application.HoldKey + ".",
		Example: "  trigger hold --application argocd/nova-staging --reason 'demonstration at 15:00'",
	}
	m.app = applicationOf(c)
	c.Flags().StringVar(&m.reason, "reason", "", "why, for whoever finds it")
	p.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		reason := m.reason
		if reason == "" {
			reason = "no reason given"
		}
		return m.setHold(c.Context(), reason+" (by "+m.by()+")")
	}
	return c
}

func (p *program) release() *cobra.Command {
	m := &manual{p: p}
	c := &cobra.Command{
		Use: "release", Short: "End a hold: what was pushed meanwhile is deployed",
		Example: "  trigger release --application argocd/nova-staging",
	}
	m.app = applicationOf(c)
	p.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return m.setHold(c.Context(), "") }
	return c
}

func (m *manual) setHold(ctx context.Context, text string) error {
	if err := m.app.required(); err != nil {
		return err
	}
	var err error
	if m.conn, err = m.p.connect(); err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	app, err := m.conn.Get(ctx, m.app.namespace, m.app.name)
	if err != nil {
		return m.unreachable(err)
	}
	if app.Broken != nil && !app.Selected {
		return fmt.Errorf("application %s: %w", app.Key(), app.Broken)
	}
	m.writer = &apply.Writer{Client: m.conn, Metrics: metrics.New(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler)}
	was := app.Settings.Hold
	_, app, err = m.writer.Apply(ctx, app, func(app *application.Application) (move.Action, error) {
		if was = app.Settings.Hold; was == text {
			return move.Action{}, nil
		}
		return holding(app, text), nil
	})
	if err == nil && text == "" && was != "" {
		app, err = m.staysReleased(ctx, app, was)
	}
	if err != nil {
		return m.unreachable(err)
	}
	value := map[string]any{"application": app.Key(), "hold": text, "was": was}
	return m.p.print(value, func(w io.Writer) error {
		switch {
		case text != "":
			_, err = fmt.Fprintf(w, "%s: held: %s\n", app.Key(), text)
		case was == "":
			_, err = fmt.Fprintf(w, "%s: was not held\n", app.Key())
		default:
			_, err = fmt.Fprintf(w, "%s: released (was: %s)\n", app.Key(), was)
		}
		return err
	})
}

func holding(app *application.Application, text string) move.Action {
	return move.Action{Outcome: move.Held, Change: application.Change{Record: app.Record, Hold: &text}}
}

// lookAgain is how long a release is looked after.
const lookAgain = 3 * time.Second

// staysReleased releases once more when the same hold is put back. Argo CD's
// notifications controller does so when it was sending a message meanwhile: see
// [application.CopyPrefix].
func (m *manual) staysReleased(ctx context.Context, app *application.Application, was string) (*application.Application, error) {
	for end := time.Now().Add(lookAgain); time.Now().Before(end) && pause(ctx, lookAgain/6); {
		fresh, err := m.conn.Get(ctx, app.Namespace, app.Name)
		if err != nil {
			return app, fmt.Errorf("see whether the hold stays away: %w", err)
		}
		if fresh.Settings.Hold == "" {
			continue
		}
		_, app, err = m.writer.Apply(ctx, fresh, func(app *application.Application) (move.Action, error) {
			if app.Settings.Hold != was {
				return move.Action{}, nil // another one
			}
			return holding(app, ""), nil
		})
		if err != nil {
			return app, err
		}
	}
	return app, nil
}

func (p *program) status() *cobra.Command {
	var namespace, selector string
	c := &cobra.Command{
		Use: "status", Short: "Say where each Application stands",
		Example: "  trigger status\n  trigger status --application argocd/nova-staging -o json",
	}
	a := applicationOf(c)
	c.Flags().StringVarP(&namespace, "namespace", "n", metav1.NamespaceAll, "only this namespace (default: all)")
	c.Flags().StringVarP(&selector, "selector", "l", "", "only Applications with these labels")
	p.outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		conn, err := p.connect()
		if err != nil {
			return fmt.Errorf("%w: %w", errUnreachable, err)
		}
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		m := &manual{p: p}
		var apps []*application.Application
		if a.name != "" {
			app, err := conn.Get(ctx, a.namespace, a.name)
			if err != nil {
				return m.unreachable(err)
			}
			apps = append(apps, app)
		} else if apps, err = conn.List(ctx, namespace, selector); err != nil {
			return m.unreachable(err)
		}
		rows := []board.Row{}
		for _, app := range apps {
			if app.Selected || a.name != "" {
				rows = append(rows, board.RowOf(app, settle.Batch{}, nil))
			}
		}
		if a.name != "" && !apps[0].Selected {
			m.say("%s: trigger watch leaves it alone: it has no label or annotation %s: \"true\"", apps[0].Key(), application.SelectKey)
		}
		board.Order(rows)
		return p.print(rows, func(w io.Writer) error { return table(w, rows, time.Now()) })
	}
	return c
}

func table(w io.Writer, rows []board.Row, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "APPLICATION\tAS-OF\tSTATE\tSINCE\tHOLD\tMESSAGE")
	for _, r := range rows {
		since, at := "-", "-"
		if !r.Since.IsZero() {
			since = board.Ago(now.Sub(r.Since))
		}
		if !r.Instant.IsZero() {
			at = application.FormatInstant(r.Instant)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Application, at, r.State, since, orText(r.Hold, "-"), orText(r.Message, "-"))
	}
	return t.Flush()
}
