package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proerror77/nova-staging/internal/strictyaml"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Load reads and checks a file, or all files of a folder whose names end in
// .yaml: parts of one config, so that what is optional can be added as a file.
// Its errors name file and line.
func Load(path string) (*Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	names := []string{path}
	if info.IsDir() {
		if names, err = files(path); err != nil {
			return nil, fmt.Errorf("read config: %w", err)
		}
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read config: %s is neither a file nor a folder", path)
	}
	var parts []*part
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read config: %w", err)
		}
		p, err := parse(name, data)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return join(path, parts)
}

// files are the parts in a folder. One that was meant to be a part and would not
// be read is an error: what it asks for would quietly be skipped.
func files(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name := filepath.Join(folder, e.Name())
		switch filepath.Ext(name) {
		case ".yaml":
			names = append(names, name)
		case ".yml":
			return nil, fmt.Errorf("%s would not be read: let its name end in .yaml", name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("folder %s holds no file whose name ends in .yaml", folder)
	}
	return names, nil
}

// Parse checks data and fills in the defaults. file is used in errors only.
// Every mistake that can be told apart is reported, joined.
func Parse(file string, data []byte) (*Config, error) {
	p, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	return join(file, []*part{p})
}

// Mistakes are all the mistakes of one file, in the order of its lines.
type Mistakes []*strictyaml.Error

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, e := range m {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

func (c *Config) fill() {
	or(&c.Deadline, Duration(DefaultDeadline))
	d := &c.Defaults
	or(&d.RolloutTimeout, Duration(DefaultRolloutTimeout))
	or(&d.ProbeTimeout, Duration(DefaultProbeTimeout))
	or(&d.RequestTimeout, Duration(DefaultRequestTimeout))
	or(&d.Interval, Duration(DefaultInterval))
	or(&d.Successes, DefaultSuccesses)
	or(&d.DoomAfter, Duration(DefaultDoomAfter))
	or(&d.UnschedulableAfter, Duration(DefaultUnschedulableAfter))
	or(&d.Connections, DefaultConnections)
	for i := range c.Services {
		s := &c.Services[i]
		or(&s.Deployment, s.Name)
		or(&s.Service, s.Name)
		or(&s.MetricsPort, s.Port)
		or(&s.Successes, d.Successes)
		or(&s.RequestTimeout, d.RequestTimeout)
		or(&s.RolloutTimeout, d.RolloutTimeout)
	}
	if c.RedisSentinel != nil {
		or(&c.RedisSentinel.Timeout, Duration(DefaultSentinelTimeout))
	}
	if c.Kafka != nil {
		or(&c.Kafka.Timeout, Duration(DefaultKafkaTimeout))
		or(&c.Kafka.MinBrokers, len(c.Kafka.Brokers))
	}
}

// Select keeps the named services only. An unknown name is an error with the
// valid ones.
func (c *Config) Select(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var kept []Service
	for _, name := range names {
		i := slices.IndexFunc(c.Services, func(s Service) bool { return s.Name == name })
		if i < 0 {
			return fmt.Errorf("unknown service %q, valid services are: %s", name, strings.Join(c.names(), ", "))
		}
		if !slices.ContainsFunc(kept, func(s Service) bool { return s.Name == name }) {
			kept = append(kept, c.Services[i])
		}
	}
	c.Services = kept
	return nil
}

func (c *Config) names() []string {
	names := make([]string, len(c.Services))
	for i, s := range c.Services {
		names[i] = s.Name
	}
	return names
}

// ParseChecks reads the names given to --check. None means all.
func ParseChecks(names []string) (map[verdict.Check]bool, error) {
	valid := verdict.Selectable()
	chosen := map[verdict.Check]bool{}
	for _, name := range names {
		if !slices.Contains(valid, verdict.Check(name)) {
			list := make([]string, len(valid))
			for i, v := range valid {
				list[i] = string(v)
			}
			return nil, fmt.Errorf("unknown check %q, valid checks are: %s", name, strings.Join(list, ", "))
		}
		chosen[verdict.Check(name)] = true
	}
	if len(chosen) == 0 {
		for _, v := range valid {
			chosen[v] = true
		}
	}
	return chosen, nil
}
