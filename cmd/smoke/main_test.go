package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proerror77/nova-staging/internal/apitest"
	"github.com/proerror77/nova-staging/internal/importguard"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"smoke": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			s := apitest.New(t, "nova")
			app := apitest.NewApp("auth-service", 2, 8080)
			app.Serve(t, apitest.Good())
			s.Add(app)
			hanging := apitest.NewApp("slow-service", 1, 8080)
			hanging.Deployment.Status.AvailableReplicas = 0
			s.Add(hanging)
			env.Setenv("RELEASE", s.AddRelease(t, "auth-service", "slow-service"))
			env.Setenv("KUBECONFIG", s.Kubeconfig(t))
			// With the race detector each program would sleep for a second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=20")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits CODE PROGRAM ARGS... runs a program and wants its exit code.
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				err := ts.Exec(args[1], args[2:]...)
				code := "0"
				if err != nil {
					code = strings.TrimPrefix(err.Error(), "exit status ")
				}
				if code != args[0] {
					ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), code, args[0])
				}
			},
			// term FILE sends SIGTERM to the program in the background once it has
			// made FILE, which it does after it has begun to listen for signals.
			"term": func(ts *testscript.TestScript, _ bool, args []string) {
				for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
					if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
						break
					}
					if time.Since(begun) > time.Minute {
						ts.Fatalf("the program has not made %s", args[0])
					}
				}
				for _, c := range ts.BackgroundCmds() {
					ts.Check(c.Process.Signal(syscall.SIGTERM))
				}
			},
		},
	})
}

// TestTheBinaryKnowsNothingOfAWS holds the program's whole import set to what
// it may have: smoke compares with the record of a render and never asks ECR.
func TestTheBinaryKnowsNothingOfAWS(t *testing.T) {
	t.Parallel()
	importguard.Forbid(t, map[string]string{
		"github.com/aws":                                      "smoke asks no AWS service",
		"sigs.k8s.io/kustomize":                               "smoke renders nothing",
		"github.com/go-git":                                   "smoke reads no git",
		"github.com/google/go-containerregistry":              "smoke asks no registry",
		"github.com/proerror77/nova-staging/plugin":           "generate is another program",
		"github.com/proerror77/nova-staging/trigger":          "trigger is another program",
		"github.com/twmb/franz-go/pkg/kfake":                  "the stand-in for Kafka is for tests",
		"github.com/proerror77/nova-staging/internal/apitest": "the stand-in for the API server is for tests",
	})
}
