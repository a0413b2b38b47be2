package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/triggertest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"trigger": main})
}

type worldKey struct{}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			w := triggertest.New(t)
			w.Argo.SyncTime = 700 * time.Millisecond // long enough to be seen
			w.API.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
			w.Run()
			env.Values[worldKey{}] = w
			env.Setenv("KUBECONFIG", w.Kubeconfig)
			env.Setenv("USER", "ada")
			// With the race detector each program would sleep for a second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=20")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// push REPOSITORY TAG puts an image into the registry.
			"push": func(ts *testscript.TestScript, _ bool, args []string) {
				w, _ := ts.Value(worldKey{}).(*triggertest.World)
				w.Push(args[0], args[1])
			},
			// exits STATUS PROGRAM ARGS... runs a program and wants its exit status.
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				status := "0"
				if err := ts.Exec(args[1], args[2:]...); err != nil {
					status = strings.TrimPrefix(err.Error(), "exit status ")
				}
				if status != args[0] {
					ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), status, args[0])
				}
			},
			// json FILE FIELD=TEXT... wants one JSON document, and that its fields hold the
			// texts.
			"json": func(ts *testscript.TestScript, _ bool, args []string) {
				d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
				var document map[string]any
				ts.Check(d.Decode(&document))
				if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
					ts.Fatalf("%s has more than one document: %v", args[0], err)
				}
				for _, want := range args[1:] {
					name, text, _ := strings.Cut(want, "=")
					if got := fmt.Sprint(document[name]); !strings.Contains(got, text) {
						ts.Fatalf("%s is %q, want it to hold %q", name, got, text)
					}
				}
			},
		},
	})
}
