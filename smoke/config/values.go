package config

import (
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Duration is a time span as people write it: "30s", "2m", "1m30s".
type Duration time.Duration

// UnmarshalYAML reads a span and refuses one that is not above zero.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || err != nil:
		return fmt.Errorf("line %d: %q is no duration, write it like 30s, 2m or 1m30s", n.Line, n.Value)
	case v <= 0:
		return fmt.Errorf("line %d: a duration must be above zero, found %q", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

// Std is the span as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d Duration) String() string { return time.Duration(d).String() }

// Port is a port of a Service: its number or its name. The zero value is none.
type Port struct {
	Number int32
	Name   string
}

// UnmarshalYAML reads 8080 or "http".
func (p *Port) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a port is a number from 1 to 65535 or a port's name", n.Line)
	}
	if v, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
		if v < 1 || v > 65535 {
			return fmt.Errorf("line %d: port %s is not between 1 and 65535", n.Line, n.Value)
		}
		p.Number = int32(v)
		return nil
	}
	if bad := validation.IsValidPortName(n.Value); len(bad) > 0 {
		return fmt.Errorf("line %d: %q is neither a port number nor a port's name: %s", n.Line, n.Value, bad[0])
	}
	p.Name = n.Value
	return nil
}

// IsZero says that no port is given.
func (p Port) IsZero() bool { return p == Port{} }

func (p Port) String() string {
	if p.Name != "" {
		return p.Name
	}
	return strconv.Itoa(int(p.Number))
}
