package application

import (
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// Settings are what people say by annotations.
type Settings struct {
	// Hold is the reason why nothing is to move; empty when it may.
	Hold string
	// NoRollback opts out of automatic rollback.
	NoRollback bool
	// Interrupt lets as-of move while a sync runs.
	Interrupt bool
	// Repositories are globs over image names.
	Repositories []string
	// Together says that pushes belong together, for repositories that
	// TogetherOf matches, or all when that is empty.
	Together   bool
	TogetherOf []string
	// Settle and MaxWait are zero when nothing is said.
	Settle, MaxWait time.Duration
}

func parseSettings(annotations map[string]string, r *reader) Settings {
	var s Settings
	if v, ok := annotations[HoldKey]; ok {
		s.Hold = clip(v, maxMessage)
		if s.Hold == "" {
			s.Hold = "held"
		}
	}
	switch v := annotations[RollbackKey]; v {
	case "", "on":
	case "off":
		s.NoRollback = true
	default:
		// Whoever wrote it meant to change something.
		s.NoRollback = true
		r.warn("annotation %s is %q, valid values are on, off; it is taken for off", RollbackKey, v)
	}
	switch v := annotations[InterruptKey]; v {
	case "", "false":
	case "true":
		s.Interrupt = true
	default:
		r.warn("annotation %s is %q, valid values are true, false; it is taken for false", InterruptKey, v)
	}
	s.Repositories = globs(annotations, RepositoriesKey, r)
	switch v := annotations[TogetherKey]; v {
	case "", "false":
	case "true":
		s.Together = true
	default:
		s.TogetherOf = globs(annotations, TogetherKey, r)
		s.Together = len(s.TogetherOf) > 0
	}
	s.Settle = duration(annotations, SettleKey, r)
	s.MaxWait = duration(annotations, MaxWaitKey, r)
	return s
}

func globs(annotations map[string]string, key string, r *reader) []string {
	var valid []string
	for _, g := range strings.FieldsFunc(annotations[key], func(c rune) bool { return c == ',' || c == ' ' || c == '\n' || c == '\t' }) {
		if !doublestar.ValidatePattern(g) {
			r.warn("annotation %s: %q is not a valid glob; it is left out", key, g)
			continue
		}
		valid = append(valid, g)
	}
	return valid
}

func duration(annotations map[string]string, key string, r *reader) time.Duration {
	v := annotations[key]
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d > 12*time.Hour {
		r.warn("annotation %s is %q, want a duration such as 20s, up to 12h; it is left out", key, v)
		return 0
	}
	return d
}
