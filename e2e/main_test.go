//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/proerror77/nova-staging/e2e/world"
)

var (
	testenv env.Environment
	w       *world.World
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	settings, err := world.FromEnv()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	// An interrupted run cleans up as well.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if testenv, err = env.NewWithContext(ctx, envconf.New()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	testenv.Setup(func(ctx context.Context, _ *envconf.Config) (context.Context, error) {
		var err error
		w, err = world.Start(ctx, settings)
		return ctx, err
	})
	code := testenv.Run(m)
	if w != nil {
		if err := w.Close(context.WithoutCancel(ctx), code != 0); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: clean up:", err)
			return 1
		}
	}
	return code
}

// step adapts what a scenario does to the framework, which passes contexts on.
func step(do func(context.Context, *testing.T)) features.Func {
	return func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		t.Helper()
		do(ctx, t)
		return ctx
	}
}

// need ends the scenario at an error.
func need(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
