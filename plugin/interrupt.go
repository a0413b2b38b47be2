package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/proerror77/nova-staging/plugin/ecr"
)

var (
	// ErrDeadline is returned when the render did not end in time.
	ErrDeadline = errors.New("gave up at the deadline")
	// ErrCancelled is returned when the caller stopped the render.
	ErrCancelled = errors.New("cancelled")
)

// interrupted says of an error that came from the end of ctx what was still
// being done. Other errors pass unchanged.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	kind := ErrCancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		kind = ErrDeadline
	}
	calls := ecr.Interrupted(err)
	if len(calls) == 0 {
		if errors.Is(err, ctx.Err()) {
			return fmt.Errorf("%w: %w", kind, err)
		}
		return err
	}
	const most = 8
	text := strings.Join(calls[:min(most, len(calls))], ", ")
	if len(calls) > most {
		text += fmt.Sprintf(" and %d more", len(calls)-most)
	}
	out := fmt.Errorf("%w; still pending: %s", kind, text)
	for _, e := range flatten(err) {
		if ecr.Interrupted(e) == nil && !errors.Is(e, ctx.Err()) {
			out = fmt.Errorf("%w; besides: %w", out, e)
		}
	}
	return out
}

// flatten lists the leaves of joined errors.
func flatten(err error) []error {
	j, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // only the outermost
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range j.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
