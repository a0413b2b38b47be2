package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"github.com/proerror77/nova-staging/smoke/check"
	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/reach"
	"github.com/proerror77/nova-staging/smoke/redact"
	"github.com/proerror77/nova-staging/smoke/report"
	"github.com/proerror77/nova-staging/smoke/run"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// runFlags are the flags of smoke run.
type runFlags struct {
	config      string
	services    []string
	checks      []string
	deadline    time.Duration
	namespace   string
	kubeconfig  string
	context     string
	reach       string
	release     string
	output      string
	jsonFile    string
	junitFile   string
	termination string
	events      string
	progress    string
	keepGoing   bool
}

func newRun(s *streams) *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:   "run --config smoke.yaml",
		Short: "Looks at everything the config names and reports",
		Long: `run looks at everything the config names. In a Pod it uses the ServiceAccount
and dials Pods; with a kubeconfig it reaches them by port-forward and Services
through the API server's proxy, so that the same command works on a laptop.

The report goes to stdout, progress to stderr.

` + verdict.Help(),
		Example: `  smoke run --config smoke.yaml
  smoke run --config smoke.yaml --service auth-service,user-service --check health
  smoke run --config smoke.yaml --context staging --output json > report.json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.run(c.Context(), f) },
	}
	l := c.Flags()
	l.SortFlags = false
	l.StringVarP(&f.config, "config", "c", "smoke.yaml", "the config: a file, or a folder whose .yaml files are its parts")
	l.StringSliceVar(&f.services, "service", nil, "look at these services only, by name (default all)")
	l.StringSliceVar(&f.checks, "check", nil, "do these checks only: "+join(verdict.Selectable())+" (default all)")
	l.DurationVar(&f.deadline, "deadline", 0, "time for the whole run (default: the config's, else 4m)")
	l.StringVarP(&f.namespace, "namespace", "n", "", "the namespace (default: the config's, else the Pod's or the context's)")
	l.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, in a Pod its ServiceAccount, else ~/.kube/config)")
	l.StringVar(&f.context, "context", "", "the kubeconfig's context (default: its current one)")
	l.StringVar(&f.reach, "reach", "auto", "the way to Pods and Services: "+strings.Join(reach.Ways(), ", ")+"; auto dials in a Pod and forwards elsewhere")
	l.StringVar(&f.release, "release", "", "the release this run was rendered with (default: $SMOKE_RELEASE)")
	l.StringVarP(&f.output, "output", "o", "table", "the report on stdout: "+strings.Join(outputs, ", "))
	l.StringVar(&f.jsonFile, "json-file", "", "also write the report as JSON to this file")
	l.StringVar(&f.junitFile, "junit-file", "", "also write the report as JUnit XML to this file")
	l.StringVar(&f.termination, "termination-log", "auto", "write the termination message to this file; auto: /dev/termination-log in a Pod; none")
	l.StringVar(&f.events, "events", "auto", "write Kubernetes Events: "+strings.Join(eventModes, ", ")+"; auto: in a Pod")
	l.StringVar(&f.progress, "progress", "auto", "progress on stderr: "+strings.Join(progressModes, ", ")+"; auto: a table on a terminal, else lines")
	l.BoolVar(&f.keepGoing, "keep-going", false, "wait for all services even when one is doomed")
	return c
}

func join(checks []verdict.Check) string {
	names := make([]string, len(checks))
	for i, c := range checks {
		names[i] = string(c)
	}
	return strings.Join(names, ", ")
}

// The valid values of flags.
var (
	outputs       = []string{"table", "json", "junit"}
	eventModes    = []string{"auto", "always", "never"}
	progressModes = []string{"auto", "table", "lines", "none"}
)

func oneOf(flag, value string, valid []string) error {
	if slices.Contains(valid, value) {
		return nil
	}
	return fmt.Errorf("unknown value %q for --%s, valid values are: %s", value, flag, strings.Join(valid, ", "))
}

func (f *runFlags) validate() error {
	if f.deadline < 0 {
		return fmt.Errorf("--deadline %s is negative", f.deadline)
	}
	var bad error
	if !slices.Contains(reach.Ways(), f.reach) {
		bad = reach.BadWay(f.reach)
	}
	return errors.Join(bad,
		oneOf("output", f.output, outputs), oneOf("events", f.events, eventModes), oneOf("progress", f.progress, progressModes))
}

// run is smoke run.
func (s *streams) run(parent context.Context, f *runFlags) error {
	started := time.Now()
	if err := f.validate(); err != nil {
		return err
	}
	conf, err := config.Load(f.config)
	if err != nil {
		return err
	}
	checks, err := config.ParseChecks(f.checks)
	if err != nil {
		return err
	}
	if err := conf.Select(f.services); err != nil {
		return err
	}
	files, err := openOutputs(f, s.env)
	if err != nil {
		return err
	}
	defer files.close()
	deadline := conf.Deadline.Std()
	if f.deadline > 0 {
		deadline = f.deadline
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	defer cancel(nil)
	stopped := context.AfterFunc(parent, func() {
		cancel(&check.Stop{Class: verdict.Interrupted, Why: "stopped by a signal"})
	})
	defer stopped()
	ctx, over := context.WithDeadlineCause(ctx, started.Add(deadline), &check.Stop{
		Class: verdict.DeadlineExceeded, TimeUp: true, Why: fmt.Sprintf("the deadline of %s is over", deadline),
	})
	defer over()

	runner := &run.Runner{
		Config: conf, Checks: checks, Env: s.env, Deadline: deadline, KeepGoing: f.keepGoing,
		ReleaseID: f.release, Progress: s.newProgress(f.progress), Namespace: conf.Namespace,
	}
	if runner.ReleaseID == "" {
		runner.ReleaseID = s.env("SMOKE_RELEASE")
	}
	err = s.connect(f, conf, runner)
	var rep *report.Report
	if err != nil {
		rep = unconnected(conf, checks, runner.Namespace, started, err)
	} else {
		rep = runner.Run(ctx)
	}
	runner.Progress.Close()
	s.status = rep.ExitCode()
	problems := files.write(rep)
	if runner.Events {
		writeEvents(parent, deadline, runner.Client, s.env, rep)
	}
	problems = errors.Join(problems, s.print(f.output, rep))
	if problems != nil {
		class := rep.Class
		if class == verdict.OK {
			class = verdict.Internal // a report that was asked for is missing
		}
		return &failure{class: class, err: problems}
	}
	return nil
}

// connect finds the API server and the way to Pods, and fills the runner in.
func (s *streams) connect(f *runFlags, conf *config.Config, r *run.Runner) error {
	access := cluster.Access{Kubeconfig: f.kubeconfig, Context: f.context, Env: s.env}
	// Data stores alone can be looked at without any cluster.
	if len(conf.Services) == 0 && (f.reach == "direct" || (f.reach == "auto" && f.kubeconfig == "" && f.context == "")) {
		r.Reach = func(*cluster.Watcher) (reach.Reach, error) { return &reach.Direct{}, nil }
		return nil
	}
	conn, err := cluster.Connect(access)
	if err != nil {
		return err
	}
	if r.Namespace == "" {
		r.Namespace = conn.Namespace
	}
	if f.namespace != "" {
		r.Namespace = f.namespace
	}
	if r.Client, err = kubernetes.NewForConfig(conn.Config); err != nil {
		return fmt.Errorf("make a client of the API server: %w", err)
	}
	r.Events = f.events == "always" || (f.events == "auto" && conn.InCluster)
	way := f.reach
	if way == "auto" {
		way = "port-forward"
		if conn.InCluster {
			way = "direct"
		}
	}
	r.Reach = func(w *cluster.Watcher) (reach.Reach, error) { return newReach(way, conn, r, w) }
	return nil
}

func newReach(way string, conn cluster.Connection, r *run.Runner, w *cluster.Watcher) (reach.Reach, error) {
	switch way {
	case "direct":
		return &reach.Direct{}, nil
	case "proxy":
		return reach.NewProxy(conn.Config)
	case "port-forward":
		return reach.NewForward(conn.Config, w, r.Namespace)
	}
	return nil, reach.BadWay(way)
}

// unconnected is the report of a run that found no cluster to look at.
func unconnected(conf *config.Config, checks map[verdict.Check]bool, namespace string, started time.Time, err error) *report.Report {
	rep := &report.Report{Namespace: namespace, Started: started, Duration: time.Since(started)}
	f := verdict.Unknown("", "a cluster to look at", "could not look: "+redact.Line(err.Error()))
	add := func(service string, name, chosen verdict.Check) {
		r := verdict.Result{Service: service, Check: name, Finding: f}
		if !checks[chosen] || !conf.Configured(name) {
			r.Finding = verdict.Skip("not configured or not chosen")
		}
		rep.Results = append(rep.Results, r)
	}
	rep.Results = append(rep.Results, verdict.Result{Check: verdict.Access, Finding: f})
	if len(conf.Services) > 0 {
		add("", verdict.Release, verdict.Identity)
	}
	for _, svc := range conf.Services {
		for _, name := range verdict.ServiceChecks() {
			add(svc.Name, name, name)
		}
	}
	add("", verdict.Sentinel, verdict.Sentinel)
	add("", verdict.Kafka, verdict.Kafka)
	rep.Conclude()
	return rep
}
