package run

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/smoke/check"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/exposition"
	"github.com/proerror77/nova-staging/smoke/health"
	"github.com/proerror77/nova-staging/smoke/identity"
	"github.com/proerror77/nova-staging/smoke/probe"
	"github.com/proerror77/nova-staging/smoke/reach"
	"github.com/proerror77/nova-staging/smoke/rollout"
	"github.com/proerror77/nova-staging/smoke/routing"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// stagger is the pause between the starts of consecutive requests to one
// target. They do not wait for each other: otherwise a slow endpoint would
// make the run as many times slower as successes are wanted.
const stagger = 20 * time.Millisecond

// parsing bounds how many metrics pages are parsed at the same time; a page in
// pieces takes several times its size.
var parsing = make(chan struct{}, 2)

func (v *service) health(ctx context.Context, limit time.Duration) {
	if v.off(verdict.Health) {
		v.refuse(verdict.Health, "")
		return
	}
	v.record(ctx, verdict.Health, limit, false, func(ctx context.Context) verdict.Finding {
		expect, err := v.expect()
		if err != nil {
			f := verdict.Unknown("", "what a good answer is", err.Error())
			f.Class, f.Final = verdict.NoRelease, true
			return f
		}
		targets, f := v.targets(v.conf.Port, true)
		if f != nil {
			return *f
		}
		return v.each(ctx, targets, func(ctx context.Context, t reach.Target) verdict.Finding {
			return v.askHealth(ctx, t, expect)
		})
	})
}

// askHealth wants as many consecutive successes as configured, each over a
// connection of its own.
func (v *service) askHealth(ctx context.Context, t reach.Target, expect health.Expect) verdict.Finding {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	findings := make(chan verdict.Finding, v.conf.Successes)
	begun := 0
	for i := range v.conf.Successes {
		if i > 0 {
			check.Pause(ctx, stagger)
		}
		if ctx.Err() != nil {
			break
		}
		begun++
		go func() {
			findings <- check.Guard(func() verdict.Finding {
				a := v.prober.Get(ctx, probe.Request{
					Target: t, Path: v.conf.Healthy(), Host: v.conf.Health.Host, Accept: "application/json, */*;q=0.5",
					Timeout: v.conf.RequestTimeout.Std(), MaxBody: health.MaxBody,
				})
				defer a.Done()
				return healthFinding(t, v.conf.Healthy(), a, expect)
			})
		}()
	}
	for range begun {
		if f := <-findings; f.Verdict != verdict.Passed {
			return f
		}
	}
	if begun < v.conf.Successes {
		return verdict.Unknown(t.String(), fmt.Sprintf("%d consecutive successes", v.conf.Successes), fmt.Sprintf("time for %d only", begun))
	}
	return verdict.Pass("")
}

func healthFinding(t reach.Target, path string, a probe.Answer, expect health.Expect) verdict.Finding {
	target := t.String() + path
	m := expect.Judge(a)
	switch {
	case m == nil:
		return verdict.Pass("")
	case a.Unreachable:
		return verdict.Unknown(target, m.Expected, m.Seen)
	}
	return verdict.Fail(target, m.Expected, m.Seen)
}

func (v *service) metrics(ctx context.Context, limit time.Duration) {
	if v.off(verdict.Metrics) {
		v.refuse(verdict.Metrics, "")
		return
	}
	v.record(ctx, verdict.Metrics, limit, false, func(ctx context.Context) verdict.Finding {
		targets, f := v.targets(v.conf.MetricsPort, false)
		if f != nil {
			return *f
		}
		return v.each(ctx, targets, v.askMetrics)
	})
}

func (v *service) askMetrics(ctx context.Context, t reach.Target) verdict.Finding {
	target := t.String() + v.conf.Measured()
	a := v.prober.Get(ctx, probe.Request{
		Target: t, Path: v.conf.Measured(), Accept: exposition.Accept,
		Timeout: v.conf.RequestTimeout.Std(), MaxBody: exposition.MaxBody,
	})
	defer a.Done()
	status, err := health.Compile(health.Rules{Status: []int{200}})
	if err != nil {
		return verdict.Unknown(target, "status 200", err.Error())
	}
	switch m := status.Reached(a); {
	case m != nil && a.Unreachable:
		return verdict.Unknown(target, m.Expected, m.Seen)
	case m != nil:
		return verdict.Fail(target, m.Expected, m.Seen)
	case a.TooLong:
		return verdict.Fail(target, fmt.Sprintf("a page of at most %d bytes", exposition.MaxBody), "the page goes on after that")
	}
	page := parse(a)
	if len(page.Problems) > 0 {
		f := verdict.Fail(target, "a page that Prometheus 3 accepts", page.Problems[0])
		f.Details = page.Problems[1:]
		return f
	}
	for _, family := range v.conf.Metrics.Families {
		if !page.Has(family) {
			return verdict.Fail(target, "metric family "+family, fmt.Sprintf("it is not among the %d families of the page", len(page.Families)))
		}
	}
	return v.buildInfo(target, page)
}

func parse(a probe.Answer) *exposition.Page {
	parsing <- struct{}{}
	defer func() { <-parsing }()
	return exposition.Check(a.Header.Get("Content-Type"), a.Body)
}

func (v *service) buildInfo(target string, page *exposition.Page) verdict.Finding {
	b := v.conf.Metrics.BuildInfo
	if b == nil {
		return verdict.Pass(fmt.Sprintf("%d samples", page.Samples))
	}
	image, err := v.image()
	if err == nil && image.Commit == "" {
		err = fmt.Errorf("the release names no commit for %s", image.Name)
	}
	if err != nil {
		f := verdict.Unknown(target, b.Family+" with the release's commit", err.Error())
		f.Class, f.Final = verdict.NoRelease, true
		return f
	}
	if got := page.LabelsOf(b.Family)[b.Label]; got != image.Commit {
		return verdict.Fail(target, fmt.Sprintf("%s{%s=%q}", b.Family, b.Label, image.Commit), fmt.Sprintf("%s=%q", b.Label, got))
	}
	return verdict.Pass(fmt.Sprintf("%d samples, built from %s", page.Samples, image.Commit))
}

// each asks all targets at the same time and joins what they answer.
func (v *service) each(ctx context.Context, targets []reach.Target, ask func(context.Context, reach.Target) verdict.Finding) verdict.Finding {
	findings := make([]verdict.Finding, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		// Waiting here costs nothing; thousands of waiting goroutines would.
		select {
		case v.gate <- struct{}{}:
		case <-ctx.Done():
			findings[i] = verdict.Unknown(t.String(), "to be asked", "not asked: "+context.Cause(ctx).Error())
			continue
		}
		all.Go(func() {
			defer func() { <-v.gate }()
			findings[i] = check.Guard(func() verdict.Finding { return ask(ctx, t) })
		})
	}
	all.Wait()
	worst := verdict.Worst(findings)
	if worst.Verdict == verdict.Passed {
		return verdict.Pass(answered(targets))
	}
	others := 0
	for _, f := range findings {
		if f.Verdict == verdict.Passed || f.Target == worst.Target {
			continue
		}
		if others++; others <= 5 {
			worst.Details = append(worst.Details, f.Target+": "+f.Seen)
		}
	}
	if others > 5 {
		worst.Details = append(worst.Details, fmt.Sprintf("… and %d more", others-5))
	}
	return worst
}

func answered(targets []reach.Target) string {
	pods, service := 0, ""
	for _, t := range targets {
		if t.Kind == reach.Pod {
			pods++
		} else {
			service = "the Service and "
		}
	}
	return fmt.Sprintf("%s%d Pods answered well", service, pods)
}

// targets are the Service, if wanted, and every current Pod.
func (v *service) targets(port config.Port, withService bool) ([]reach.Target, *verdict.Finding) {
	view := v.view()
	unknown := func(f verdict.Finding) ([]reach.Target, *verdict.Finding) { return nil, &f }
	conf, err := v.trust.client(v.conf.TLS, v.conf.Service+"."+v.Namespace+".svc")
	if err != nil {
		return unknown(verdict.Unknown("", "certificates to trust", err.Error()))
	}
	if view.Service == nil {
		return unknown(verdict.Fail("service/"+v.conf.Service, "a Service named "+v.conf.Service, "there is none"))
	}
	sp, err := routing.ServicePort(view.Service, port)
	if err != nil {
		return unknown(verdict.Fail("service/"+v.conf.Service, "port "+port.String(), err.Error()))
	}
	pods := rollout.Sort(view).Current
	if len(pods) == 0 {
		return unknown(verdict.Fail("deployment/"+v.conf.Deployment, "Pods to ask", "there are none of the present template"))
	}
	var targets []reach.Target
	if withService {
		t := reach.Target{Kind: reach.Service, Namespace: v.Namespace, Name: v.conf.Service, Address: view.Service.Spec.ClusterIP, Port: sp.Port, TLS: conf}
		if t.Address == "" || t.Address == corev1.ClusterIPNone {
			t.Address = v.conf.Service + "." + v.Namespace + ".svc"
			if n, err := routing.PodPort(view.Service, port, pods[0]); err == nil {
				t.Port = n // a headless Service leads straight to the Pods
			}
		}
		targets = append(targets, t)
	}
	for _, p := range pods {
		n, err := routing.PodPort(view.Service, port, p)
		if err != nil {
			return unknown(verdict.Fail("pod/"+p.Name, "port "+port.String(), err.Error()))
		}
		targets = append(targets, reach.Target{Kind: reach.Pod, Namespace: v.Namespace, Name: p.Name, Address: p.Status.PodIP, Port: n, TLS: conf})
	}
	return targets, nil
}

// image is what the release says of the service's own image: that of the first
// container of the template that the release knows.
func (v *service) image() (release.Image, error) {
	if v.release == nil {
		return release.Image{}, errors.New("the release could not be read")
	}
	view := v.view()
	if view.Deployment != nil {
		for _, c := range view.Deployment.Spec.Template.Spec.Containers {
			for _, i := range v.release.Images {
				if identity.Normal(i.Name) == identity.Normal(identity.ParseReference(c.Image).Name) {
					return i, nil
				}
			}
		}
	}
	return release.Image{}, errors.New("the release has no image of this service")
}

// expect fills the placeholders of the service's expectation in.
func (v *service) expect() (health.Expect, error) {
	h := v.conf.Health
	rules := health.Rules{Status: h.Status, ContentType: h.ContentType, Body: h.Body, JSON: map[string]string{}}
	for path, value := range h.JSON {
		if strings.Contains(value, "{commit}") || strings.Contains(value, "{tag}") || strings.Contains(value, "{digest}") {
			image, err := v.image()
			if err != nil {
				return health.Expect{}, fmt.Errorf("fill in %s: %w", value, err)
			}
			if strings.Contains(value, "{commit}") && image.Commit == "" {
				return health.Expect{}, fmt.Errorf("fill in %s: the release names no commit for %s", value, image.Name)
			}
			value = strings.NewReplacer("{commit}", image.Commit, "{tag}", image.Tag, "{digest}", image.Digest).Replace(value)
		}
		rules.JSON[path] = value
	}
	return health.Compile(rules)
}

// trust reads certificate files, each once.
type trust struct {
	mu    sync.Mutex
	pools map[string]*x509.CertPool
}

// client makes the client's side of TLS; nil means that there is none.
func (t *trust) client(c *config.TLS, serverName string) (*tls.Config, error) {
	if c == nil {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if c.ServerName != "" {
		out.ServerName = c.ServerName
	}
	if c.CAFile == "" {
		return out, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if pool := t.pools[c.CAFile]; pool != nil {
		out.RootCAs = pool
		return out, nil
	}
	data, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read tls.caFile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("read tls.caFile: %s holds no certificate", c.CAFile)
	}
	if t.pools == nil {
		t.pools = map[string]*x509.CertPool{}
	}
	t.pools[c.CAFile] = pool
	out.RootCAs = pool
	return out, nil
}
