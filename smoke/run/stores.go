package run

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/smoke/check"
	"github.com/proerror77/nova-staging/smoke/config"
	"github.com/proerror77/nova-staging/smoke/kafka"
	"github.com/proerror77/nova-staging/smoke/reach"
	"github.com/proerror77/nova-staging/smoke/redact"
	"github.com/proerror77/nova-staging/smoke/report"
	"github.com/proerror77/nova-staging/smoke/sentinel"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// store runs a check of a data store with its own limit.
func (s *session) store(ctx context.Context, name verdict.Check, limit config.Duration, make func(dial) (check.Check, error)) {
	if !s.wants(name) {
		s.done(verdict.Result{Check: name, Finding: s.skip(name), Started: time.Now()})
		return
	}
	way := &way{reach: s.reach}
	look, err := make(way.dial)
	if err != nil {
		f := verdict.Unknown("", "what it takes to ask", err.Error())
		s.done(verdict.Result{Check: name, Finding: f, Started: time.Now()})
		return
	}
	s.done(check.Record{Name: name, Limit: limit.Std(), Retry: check.Retry{
		Check: way.or(look), Interval: s.Config.Defaults.Interval.Std(),
		Say: func(f verdict.Finding) { s.progress.Waiting(report.Planned{Check: name}, f) },
	}}.Run(ctx))
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// way dials and remembers whether the way itself failed: what there is no way to
// is not known to be broken.
type way struct {
	reach reach.Reach
	mu    sync.Mutex
	err   error
}

func (w *way) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := w.reach.Dial(ctx, network, address)
	if errors.Is(err, reach.ErrWay) {
		w.mu.Lock()
		w.err = err
		w.mu.Unlock()
	}
	return conn, err
}

// or makes a failed look inconclusive if the way failed while it looked.
func (w *way) or(look check.Check) check.Func {
	return func(ctx context.Context) verdict.Finding {
		w.mu.Lock()
		w.err = nil
		w.mu.Unlock()
		f := look.Look(ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		if f.Verdict == verdict.Failed && w.err != nil {
			f.Verdict = verdict.Inconclusive
			f.Details = append(f.Details, "could not look: "+redact.Line(w.err.Error()))
		}
		return f
	}
}

// secret reads an environment variable that the config names. One that is not
// set is an error: without it nothing could be looked at.
func (s *session) secret(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	if v := s.Env(name); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("the environment variable %s is not set or empty", name)
}

// client gives the client's side of TLS by host, nil where there is none.
func (s *session) clientTLS(c *config.TLS) (func(string) *tls.Config, error) {
	if c == nil {
		return nil, nil
	}
	base, err := s.trust.client(c, "")
	if err != nil {
		return nil, err
	}
	return func(host string) *tls.Config {
		conf := base.Clone()
		if conf.ServerName == "" {
			conf.ServerName = host
		}
		return conf
	}, nil
}

func (s *session) sentinel(ctx context.Context) {
	c := s.Config.RedisSentinel
	if c == nil {
		c = &config.RedisSentinel{}
	}
	s.store(ctx, verdict.Sentinel, c.Timeout, func(dial dial) (check.Check, error) {
		g := &sentinel.Group{
			Addresses: c.Addresses, Master: c.Master, Sentinels: c.Sentinels, Quorum: c.Quorum, Replicas: c.WantReplicas(),
			Dial: dial, Lookup: s.reach.Lookup, Timeout: s.Config.Defaults.RequestTimeout.Std(),
		}
		var err error
		for _, v := range []struct {
			to   *string
			name string
		}{
			{&g.Servers.Username, c.UsernameEnv},
			{&g.Servers.Password, c.PasswordEnv},
			{&g.Watchers.Username, c.SentinelUsernameEnv},
			{&g.Watchers.Password, c.SentinelPasswordEnv},
		} {
			if *v.to, err = s.secret(v.name); err != nil {
				return nil, err
			}
		}
		g.TLS, err = s.clientTLS(c.TLS)
		return g, err
	})
}

func (s *session) kafka(ctx context.Context) {
	c := s.Config.Kafka
	if c == nil {
		c = &config.Kafka{}
	}
	s.store(ctx, verdict.Kafka, c.Timeout, func(dial dial) (check.Check, error) {
		k := &kafka.Cluster{
			Brokers: c.Brokers, MinBrokers: c.MinBrokers, Topics: c.Topics, MinInSync: c.MinInSyncReplicas,
			Dial: dial, Timeout: s.Config.Defaults.RequestTimeout.Std(),
		}
		if c.SASL != nil {
			user, err := s.secret(c.SASL.UsernameEnv)
			if err != nil {
				return nil, err
			}
			password, err := s.secret(c.SASL.PasswordEnv)
			if err != nil {
				return nil, err
			}
			if k.SASL, err = kafka.Login(c.SASL.Mechanism, user, password); err != nil {
				return nil, err
			}
		}
		var err error
		k.TLS, err = s.clientTLS(c.TLS)
		return k, err
	})
}
