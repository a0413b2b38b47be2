package soak

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/trigger/command"
)

// cyclesOf one staging, after which another takes its place.
const cyclesOf = 5

// stagings that live at the same time: they mostly wait.
const stagings = 16

// score is what a soak of trigger has seen.
type score struct {
	mu                                     sync.Mutex
	cycles, pushes, moves, backs, repeated int
	api, aws, kills, crashes, strays       int
	longest                                time.Duration
}

// TestSoakTrigger goes through SOAK_CYCLES cycles (default 16) of trigger watch in
// stagings that follow from SOAK_SEED (default another each time), in
// SOAK_WORLDS at most. In each cycle images are pushed while everything fails;
// then the faults end, and what is so then is held against the oracle.
func TestSoakTrigger(t *testing.T) {
	most := int(setting(t, "SOAK_CYCLES", 16))
	worlds := setting(t, "SOAK_WORLDS", 1<<40)
	seed := setting(t, "SOAK_SEED", uint64(rand.Uint32()))
	e := ecremulator.Start(t, ecremulator.WithOpenAccess(), ecremulator.WithAccount(queueAccount))
	for name, value := range e.Env() {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_REGION", region)
	var wg sync.WaitGroup
	var mu sync.Mutex
	next, left, failed := seed, most, false
	s := &score{}
	start := time.Now()
	for range stagings {
		wg.Go(func() {
			for {
				mu.Lock()
				cycles := min(cyclesOf, left, max(1, most/stagings))
				over := cycles == 0 || next-seed >= worlds || failed
				mine := next
				if !over {
					next, left = next+1, left-cycles
				}
				mu.Unlock()
				if over {
					return
				}
				if wrong := soakStaging(t.TempDir(), mine, e, cycles, most >= 100, s); wrong != "" {
					mu.Lock()
					failed = true
					mu.Unlock()
					t.Errorf("staging %d: %s\nto have its like again: SOAK_SEED=%d SOAK_WORLDS=1 SOAK_CYCLES=%d go test -race ./soak -run TestSoakTrigger", mine, wrong, mine, stagings*cyclesOf)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("seed %d: %d cycles in %d stagings in %s: %d pushes, %d moves, %d of them back, %d of these from what had failed before; %d faults of the API server, %d of AWS, %d kills, %d ends by themselves, %d malformed messages; the longest way to rest took %s",
		seed, s.cycles, next-seed, time.Since(start).Round(time.Millisecond), s.pushes, s.moves, s.backs, s.repeated, s.api, s.aws, s.kills, s.crashes, s.strays, s.longest.Round(time.Millisecond))
	if most >= 100 && worlds > uint64(most) && !t.Failed() && (s.backs < most/20 || s.api < most || s.aws < most/2 || s.kills < most/10) {
		t.Errorf("the stagings are too dull to find anything in")
	}
}

// soakStaging goes through one staging's life and says what was wrong.
func soakStaging(dir string, seed uint64, e *ecremulator.Server, cycles int, patient bool, s *score) (wrong string) {
	w, err := newStaging(seed, dir, e)
	if err != nil {
		return err.Error()
	}
	w.patient = patient
	end, err := w.run()
	defer func() {
		end()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pushes += len(w.pushes)
		s.crashes += w.crashes
		s.strays += w.malformed
		for _, p := range w.audit.apps {
			s.moves += p.moves
			s.backs += len(p.backs)
			s.repeated += p.repeated
		}
		for _, n := range w.trouble.hits {
			s.api += n
		}
	}()
	if err != nil {
		return err.Error()
	}
	for i := range cycles {
		fired := w.suffer(s)
		if i == cycles-1 {
			for _, a := range w.apps {
				w.release(a)
			}
		}
		began := time.Now()
		wrong := w.settle(time.Minute)
		s.mu.Lock()
		s.cycles++
		s.aws += fired
		s.longest = max(s.longest, time.Since(began))
		s.mu.Unlock()
		if wrong != "" {
			var logs strings.Builder
			for _, r := range w.replicas {
				fmt.Fprintf(&logs, "\n%s:\n%s", r.name, r.log)
			}
			return fmt.Sprintf("cycle %d: %s\nwhat was done:\n%s\nargs %v%s", i, wrong, strings.Join(w.did, "\n"), w.args, &logs)
		}
	}
	return ""
}

// suffer pushes images while everything fails, and ends the faults.
func (w *staging) suffer(s *score) (fired int) {
	w.trouble.set([]float64{0, 0.3, 0.5, 0.8}[w.rng.IntN(4)])
	faults := w.inject()
	w.mu.Lock()
	w.broken = w.rng.IntN(6) == 0
	w.mu.Unlock()
	for range 1 + w.rng.IntN(4) {
		w.push()
		for range w.rng.IntN(3) {
			time.Sleep(time.Duration(w.rng.IntN(300)) * time.Millisecond)
			w.disturb(s)
		}
		time.Sleep(time.Duration(w.rng.IntN(700)) * time.Millisecond)
	}
	w.trouble.set(0)
	w.mu.Lock()
	w.broken = false
	w.mu.Unlock()
	for _, f := range faults {
		f.Remove()
		fired += f.Fired()
	}
	w.note("faults end, %d of AWS", fired)
	return fired
}

// inject makes calls to the queue and to ECR fail.
func (w *staging) inject() (all []*ecremulator.Injection) {
	kinds := []ecremulator.FaultKind{
		ecremulator.Throttle, ecremulator.ServerError, ecremulator.Unavailable, ecremulator.CutConnection, ecremulator.CutBody, ecremulator.HTMLBody,
		ecremulator.TruncatedJSON, ecremulator.EmptyBody, ecremulator.Slow, ecremulator.ExpiredToken, ecremulator.SignatureExpired,
	}
	for _, op := range []string{"ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "GetQueueAttributes", "DescribeImages"} {
		if w.rng.IntN(2) == 0 {
			continue
		}
		f := ecremulator.Fault{
			Kind: kinds[w.rng.IntN(len(kinds))], Op: op, Probability: 0.3 + w.rng.Float64()/2, Seed: w.rng.Uint64(), Times: 1 + w.rng.IntN(3),
			Delay: time.Duration(w.rng.IntN(400)) * time.Millisecond,
		}
		if op == "DescribeImages" {
			f.Account = w.registry.Account()
		} else {
			f.Queue = w.queueName()
		}
		all = append(all, w.ecr.Inject(f))
	}
	return all
}

// disturb does one of the things that happen.
func (w *staging) disturb(s *score) {
	a := w.apps[w.rng.IntN(len(w.apps))]
	r := w.replicas[w.rng.IntN(len(w.replicas))]
	switch w.rng.IntN(14) {
	case 0, 1:
		w.note("%s is killed", r.name)
		r.kill()
		s.mu.Lock()
		s.kills++
		s.mu.Unlock()
		if err := r.start(); err != nil {
			panic(err)
		}
	case 2:
		w.note("%s is restarted", r.name)
		r.end()
		if err := r.start(); err != nil {
			panic(err)
		}
	case 3, 4:
		w.edit(a)
	case 5:
		w.hold(a)
	case 6:
		w.release(a)
	case 7:
		w.note("watches are cut")
		w.api.CutWatches()
	case 8:
		w.note("the queue forgets who received what")
		w.queue.ExpireVisibility()
	case 9, 10:
		w.stray()
	case 11:
		w.note("once on %s", a.name)
		a.once = true
		w.cli("once", "-a", "argocd/"+a.name, "--timeout", "2s", "--poll-interval", "100ms")
	case 12, 13:
		w.notifyLate(a)
	}
}

// notifyLate puts back trigger's records as they were a while ago, as Argo CD's
// notifications controller does with all annotations once it has sent a message.
func (w *staging) notifyLate(a *deployed) {
	w.edits++
	label := fmt.Sprintf("edit-%d", w.edits)
	read := map[string]any{}
	for key, text := range argotest.Annotations(w.api.Get("argocd", a.name)) {
		if strings.HasPrefix(key, keyRecord) || key == keyVerdict {
			read[key] = text
		}
	}
	delay := time.Duration(w.rng.IntN(1500)) * time.Millisecond
	w.note("%s: %s, records of now put back after %s", a.name, label, delay)
	w.late.Go(func() {
		time.Sleep(delay)
		w.api.Update("argocd", a.name, func(o map[string]any) {
			annotations := argotest.Annotations(o)
			maps.Copy(annotations, read)
			annotations[keyEdit] = label
		})
	})
}

// edit changes an Application as another controller or a person does. Some edits
// move the parameter to another place.
func (w *staging) edit(a *deployed) {
	w.edits++
	label := fmt.Sprintf("edit-%d", w.edits)
	before := w.rng.IntN(3) == 0
	w.api.Update("argocd", a.name, func(o map[string]any) {
		argotest.Annotations(o)[keyEdit] = label
		meta, _ := o["metadata"].(map[string]any)
		labels, _ := meta["labels"].(map[string]any)
		labels["soak.example.com/"+label] = "true"
		if before {
			spec, _ := o["spec"].(map[string]any)
			sources, _ := spec["sources"].([]any)
			for _, s := range append(sources, spec["source"]) {
				if plugin, _ := at(s, "plugin").(map[string]any); plugin != nil {
					parameters, _ := plugin["parameters"].([]any)
					plugin["parameters"] = append([]any{map[string]any{"name": label, "string": "x"}}, parameters...)
				}
			}
		}
	})
	a.edits = append(a.edits, "soak.example.com/"+label)
	w.note("%s: %s, a parameter before as-of %v", a.name, label, before)
}

func (w *staging) hold(a *deployed) {
	w.edits++
	reason := fmt.Sprintf("demonstration %d", w.edits)
	w.mu.Lock()
	w.asked[reason+" (by ada)"] = true
	w.mu.Unlock()
	w.note("hold %s", a.name)
	w.cli("hold", "-a", "argocd/"+a.name, "--reason", reason)
}

func (w *staging) release(a *deployed) {
	w.mu.Lock()
	w.releases[a.name]++
	w.mu.Unlock()
	w.note("release %s", a.name)
	w.cli("release", "-a", "argocd/"+a.name)
}

// cli is a person's or CI's use of trigger, over a door of their own.
func (w *staging) cli(args ...string) {
	config, err := w.api.Kubeconfig(w.dir)
	if err != nil {
		panic(err)
	}
	var out bytes.Buffer
	status := command.Run(context.Background(), command.Program{
		Args: append(args, "--kubeconfig", config), Env: func(k string) string { return map[string]string{"USER": "ada"}[k] }, Stdout: &out, Stderr: &out,
	})
	w.note("%s: exit status %d: %s", args[0], status, strings.TrimSpace(out.String()))
}
