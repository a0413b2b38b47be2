package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/trigger/board"
	"github.com/proerror77/nova-staging/trigger/cluster"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/poll"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/queue"
	"github.com/proerror77/nova-staging/trigger/settle"
	"github.com/proerror77/nova-staging/trigger/watch"
)

// watchFlags are those of the watch command.
type watchFlags struct {
	queueURL, queueRegion string
	visibility            time.Duration
	poll                  bool
	pollInterval          time.Duration
	pollBudget            int
	roles                 []string
	settle, maxWait       time.Duration
	togetherMaxWait       time.Duration
	namespaces            []string
	selector              string
	noRollback            bool
	grace                 time.Duration
	listen                string
	pushTimes             bool
	logFormat, logLevel   string
	elect                 bool
	lease                 leaseFlags
}

func (p *program) watch() *cobra.Command {
	f := &watchFlags{}
	c := &cobra.Command{
		Use: "watch", Short: "Hear of pushes, deploy them, and roll back what fails",
		Long: `Hear of pushes from an SQS queue that EventBridge fills with "ECR Image Action"
events, or by polling ECR, or both. When pushes to an Application's repositories
have been quiet for the settle time, its as-of moves to now. A sync that fails
there moves it back, once.

AWS is reached with the SDK's default configuration (IRSA, Pod Identity, …). Of
several replicas one acts. The board is at /, the same as JSON at /api/v1/status,
metrics at /metrics, health at /healthz and /readyz.`,
		Example: "  trigger watch --queue-url https://sqs.ap-northeast-1.amazonaws.com/025434362120/nova-trigger\n  trigger watch --poll --poll-interval 1m",
		RunE:    func(c *cobra.Command, _ []string) error { return p.runWatch(c.Context(), f) },
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.queueURL, "queue-url", "", "the SQS queue with the events")
	s.StringVar(&f.queueRegion, "queue-region", "", "the queue's region (default: from its URL, else the SDK's)")
	s.DurationVar(&f.visibility, "queue-visibility", 30*time.Second, "how long a message of a killed replica stays hidden")
	s.BoolVar(&f.poll, "poll", false, "ask ECR for pushes, where there is no queue or in case it misses one")
	s.DurationVar(&f.pollInterval, "poll-interval", 30*time.Second, "ask about each repository this often, as far as the budget goes")
	s.IntVar(&f.pollBudget, "poll-budget", 120, "DescribeImages calls a minute, at most")
	s.StringArrayVar(&f.roles, "assume-role", nil, "HOST-GLOB=ROLE-ARN[,external-id=ID]: assume this role for these registries; may be repeated")
	s.DurationVar(&f.settle, "settle", 20*time.Second, "pushes have settled after this much quiet")
	s.DurationVar(&f.maxWait, "max-wait", 5*time.Minute, "or after this long at most")
	s.DurationVar(&f.togetherMaxWait, "together-max-wait", 30*time.Minute, "or, where pushes belong together and the set is not complete, after this long")
	s.StringArrayVarP(&f.namespaces, "namespace", "n", nil, "look only at Applications in this namespace; may be repeated (default: all)")
	s.StringVarP(&f.selector, "selector", "l", "", "look only at Applications with these labels; those selected by annotation need them, too")
	s.BoolVar(&f.noRollback, "no-rollback", false, "never roll back")
	s.DurationVar(&f.grace, "grace", 2*time.Minute, "how long Argo CD may take to begin a sync before the next move is made")
	s.StringVar(&f.listen, "listen", ":8080", "address of board, metrics and health; empty for none")
	s.BoolVar(&f.pushTimes, "push-times", true, "ask ECR when the images on the board were pushed, each image once")
	s.StringVar(&f.logFormat, "log-format", "json", "form of the log: json or text")
	s.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	s.BoolVar(&f.elect, "leader-elect", true, "act only while holding the Lease")
	f.lease.register(s)
	return c
}

// logger writes to standard error.
func (f *watchFlags) logger(p *program) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, usage("--log-level %q is unknown, valid choices are: debug, info, warn, error", f.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch f.logFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(p.Stderr, o)), nil
	case "text":
		return slog.New(slog.NewTextHandler(p.Stderr, o)), nil
	}
	return nil, usage("--log-format %q is unknown, valid choices are: json, text", f.logFormat)
}

func (f *watchFlags) check() error {
	switch {
	case f.queueURL == "" && !f.poll:
		return usage("where do pushes come from? give --queue-url, or --poll")
	case f.settle <= 0:
		return usage("--settle is %s, want more than 0", f.settle)
	case f.maxWait < f.settle || f.togetherMaxWait < f.settle:
		return usage("--max-wait and --together-max-wait must not be less than --settle (%s)", f.settle)
	case f.grace <= 0:
		return usage("--grace is %s, want more than 0", f.grace)
	}
	return nil
}

func (p *program) runWatch(ctx context.Context, f *watchFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	log, err := f.logger(p)
	if err != nil {
		return err
	}
	conn, err := p.connect()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m := metrics.New(registry)
	clock := &cluster.Clock{}
	hostname := identityName(p.Env)

	w, err := watch.New(watch.Options{
		Dynamic: conn.Dynamic, Client: conn, Namespaces: f.namespaces, Selector: f.selector,
		Rules: settle.Rules{Quiet: f.settle, MaxWait: f.maxWait, TogetherMaxWait: f.togetherMaxWait},
		By:    "trigger watch (" + hostname + ")", NoRollback: f.noRollback, Grace: f.grace,
		Registry: clock.Offset, Metrics: m, Log: log,
	})
	if err != nil {
		return err
	}
	sources, names, describer, err := f.sources(ctx, p.AWS, w, clock, m, log)
	if err != nil {
		return err
	}
	ages := board.NewAges(describer, m.CountECR, log)
	registerGauges(registry, w, conn)

	// What the libraries have to say goes into the same log.
	ctx, cancel := context.WithCancelCause(logr.NewContext(ctx, logr.FromSlogHandler(log.Handler())))
	defer cancel(nil)
	go ages.Run(ctx)
	server := &webServer{watcher: w, ages: ages, registry: registry, sources: names, replica: hostname, log: log}
	address, stop, err := server.start(f.listen)
	if err != nil {
		return err
	}
	defer stop()
	lease := f.lease.with(p.Env, conn, address)
	server.leader = lease.leader
	log.Info("started", "sources", strings.Join(names, ", "), "settle", f.settle.String(), "listen", address)

	if err := w.Follow(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // ended before it had begun
		}
		return err
	}
	log.Info("applications are known", "selected", len(w.Applications()))
	act := func(ctx context.Context) {
		m.Leader.Set(1)
		defer m.Leader.Set(0)
		log.Info("acting", "replica", hostname)
		if err := w.Act(ctx, sources...); err != nil && ctx.Err() == nil {
			cancel(err)
		}
		log.Info("no longer acting", "replica", hostname)
	}
	if !f.elect {
		act(ctx)
	} else if err := lease.run(ctx, act, log); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("ended")
	return nil
}

// sources makes what pushes are heard from.
func (f *watchFlags) sources(ctx context.Context, aws []func(*config.LoadOptions) error, w *watch.Watcher, clock *cluster.Clock, m *metrics.Metrics, log *slog.Logger) ([]push.Source, []string, board.Describer, error) {
	var roles []ecr.Role
	for _, text := range f.roles {
		r, err := ecr.ParseRole(text)
		if err != nil {
			return nil, nil, nil, usage("--assume-role: %v", err)
		}
		roles = append(roles, r)
	}
	var sources []push.Source
	var names []string
	if f.queueURL != "" {
		q, err := queue.New(ctx, queue.Options{
			URL: f.queueURL, Region: f.queueRegion, Visibility: f.visibility, AWS: aws, Clock: clock, Metrics: m, Log: log,
		})
		if err != nil {
			return nil, nil, nil, usage("%v", err)
		}
		sources, names = append(sources, q), append(names, "queue "+f.queueURL[strings.LastIndexByte(f.queueURL, '/')+1:])
	}
	if !f.poll && !f.pushTimes {
		return sources, names, nil, nil
	}
	client, err := ecr.New(ctx, ecr.Options{Concurrency: 4, Roles: roles, Attempts: 1, AppID: "nova-trigger", AWS: aws})
	if err != nil {
		return nil, nil, nil, err
	}
	if f.poll {
		poller, err := poll.New(poll.Options{
			Lister: client, Interval: f.pollInterval, Budget: f.pollBudget, Repositories: w.Repositories, Since: w.Since,
			Clock: clock, Metrics: m, Log: log,
		})
		if err != nil {
			return nil, nil, nil, usage("%v", err)
		}
		sources, names = append(sources, poller), append(names, "polling ECR every "+f.pollInterval.String())
	}
	if !f.pushTimes {
		return sources, names, nil, nil
	}
	return sources, names, client, nil
}

// identityName is this process's name: the Pod's, or the machine's.
func identityName(env func(string) string) string {
	if v := env("POD_NAME"); v != "" {
		return v
	}
	if h, err := os.Hostname(); err == nil {
		return h
	}
	return "unknown"
}
