package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/cluster"
)

var (
	errUsage        = errors.New("usage")
	errHeld         = errors.New("held")
	errSuperseded   = errors.New("somebody else moved as-of")
	errFailed       = errors.New("the sync failed")
	errNotProved    = errors.New("nothing was verified")
	errRolledBack   = errors.New("the sync failed and was rolled back")
	errRollback     = errors.New("the sync failed, and so did the rollback")
	errRender       = errors.New("rendering the instant failed")
	errNothingToDo  = errors.New("nothing to roll back to")
	errUnreachable  = errors.New("the cluster can not be reached")
	errWaitDeadline = errors.New("no verdict in time")
)

type exitClass struct {
	status int
	what   string
	errs   []error
}

// exitClasses in the order in which they are tried.
var exitClasses = []exitClass{
	{2, "wrong flag or argument", []error{errUsage}},
	{124, "no verdict in time", []error{errWaitDeadline}},
	{3, "there is no such Application, or as-of can not be moved in it", []error{cluster.ErrNotFound, application.ErrNotMovable}},
	{4, "the cluster can not be reached, or refuses", []error{cluster.ErrDenied, errUnreachable}},
	{5, "somebody else moved as-of, or changes the Application all the time", []error{errSuperseded, cluster.ErrChanged}},
	{6, "held", []error{errHeld}},
	{7, "there is nothing to roll back to", []error{errNothingToDo}},
	{11, "the sync failed, and the rollback is verified", []error{errRolledBack}},
	{12, "the sync failed, and so did the rollback", []error{errRollback}},
	{10, "the sync failed, and nothing was rolled back; or nothing has changed since one that failed or none", []error{errFailed, errNotProved}},
	{13, "Argo CD could not render the instant; nothing was deployed", []error{errRender}},
}

func exitStatus(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	for _, c := range exitClasses {
		for _, e := range c.errs {
			if errors.Is(err, e) {
				return c.status
			}
		}
	}
	if ctx.Err() != nil {
		return 130
	}
	return 1
}

func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit status:\n    0  done; with --wait: verified, or nothing had changed\n    1  any other failure\n")
	for _, status := range []int{2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 124} {
		for _, c := range exitClasses {
			if c.status == status {
				fmt.Fprintf(&b, "  %3d  %s\n", c.status, c.what)
			}
		}
	}
	b.WriteString("  130  cancelled by a signal")
	return b.String()
}

type usageError struct{ text string }

func (u *usageError) Error() string { return u.text }
func (u *usageError) Unwrap() error { return errUsage }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }
