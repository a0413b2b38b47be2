package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/proerror77/nova-staging/internal/strictyaml"
	"github.com/proerror77/nova-staging/plugin"
	"github.com/proerror77/nova-staging/plugin/build"
	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/history"
	"github.com/proerror77/nova-staging/plugin/policy"
	"github.com/proerror77/nova-staging/plugin/resolve"
)

// exitClass is a class of failures with the exit status that tells it.
type exitClass struct {
	status int
	what   string
	is     func(error) bool
}

// exitClasses in the order in which they are tried: an error that fits two has
// the status of the first.
var exitClasses = []exitClass{
	{130, "cancelled by a signal", anyOf(plugin.ErrCancelled)},
	{124, "the deadline passed", anyOf(plugin.ErrDeadline)},
	{2, "wrong flag, argument or as-of", anyOf(errUsage, plugin.ErrFuture)},
	{3, "images.yaml is missing or wrong, or does not fit the manifests", func(err error) bool {
		var y *strictyaml.Error
		return errors.As(err, &y) || anyOf(policy.ErrMissing, plugin.ErrNotECR, plugin.ErrInvalidImage, plugin.ErrRelease)(err)
	}},
	{4, "the kustomization does not build", anyOf(build.ErrNoKustomization, build.ErrOutside, build.ErrRemote, build.ErrTooLarge, build.ErrBuild)},
	{5, "the commit history can not be read", anyOf(resolve.ErrNoHistory, history.ErrNoRepository, history.ErrUnsupported,
		history.ErrRevisionNotFound, history.ErrAmbiguous, history.ErrIncomplete, history.ErrCorrupt)},
	{6, "ECR was asked, and no image satisfies the policy", anyOf(resolve.ErrNoImage, resolve.ErrTogether, ecr.ErrRepositoryNotFound)},
	{7, "ECR refused: access denied, or credentials missing or expired", anyOf(ecr.ErrDenied, ecr.ErrCredentials)},
	{8, "ECR could not be asked", anyOf(ecr.ErrUnavailable, ecr.ErrResponse, ecr.ErrImageNotFound)},
	{9, "the scan gate of images.yaml refused a chosen image", anyOf(resolve.ErrScan)},
}

const exitOther = 1

func anyOf(targets ...error) func(error) bool {
	return func(err error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
}

func exitStatus(err error) int {
	for _, c := range exitClasses {
		if c.is(err) {
			return c.status
		}
	}
	return exitOther
}

func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit status:\n    0  the manifests are complete\n")
	fmt.Fprintf(&b, "  %3d  %s\n", exitOther, "any other failure")
	for _, c := range exitClasses[2:] {
		fmt.Fprintf(&b, "  %3d  %s\n", c.status, c.what)
	}
	for _, c := range []exitClass{exitClasses[1], exitClasses[0]} {
		fmt.Fprintf(&b, "  %3d  %s\n", c.status, c.what)
	}
	return strings.TrimRight(b.String(), "\n")
}
