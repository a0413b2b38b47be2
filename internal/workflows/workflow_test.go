// Package workflows_test holds the workflows in .github to what they promise, and
// runs their shell steps with the cloud replaced by scripts.
package workflows_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is a file in .github/workflows, as far as the tests read it.
type workflow struct {
	name        string
	text        string
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Concurrency map[string]any    `yaml:"concurrency"`
	Env         map[string]string `yaml:"env"`
	Jobs        map[string]job    `yaml:"jobs"`
}

type job struct {
	Permissions map[string]string `yaml:"permissions"`
	Needs       any               `yaml:"needs"`
	Uses        string            `yaml:"uses"`
	Timeout     int               `yaml:"timeout-minutes"`
	Strategy    struct {
		FailFast    *bool               `yaml:"fail-fast"`
		MaxParallel int                 `yaml:"max-parallel"`
		Matrix      map[string][]string `yaml:"matrix"`
	} `yaml:"strategy"`
	Env   map[string]string `yaml:"env"`
	Steps []step            `yaml:"steps"`
}

type step struct {
	Name string            `yaml:"name"`
	ID   string            `yaml:"id"`
	If   string            `yaml:"if"`
	Uses string            `yaml:"uses"`
	Run  string            `yaml:"run"`
	With map[string]any    `yaml:"with"`
	Env  map[string]string `yaml:"env"`
	// ContinueOnError lets the next steps run when this one fails.
	ContinueOnError bool `yaml:"continue-on-error"`
}

const folder = "../../.github/workflows"

// load reads one workflow.
func load(t *testing.T, name string) workflow {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, name+".yml"))
	if err != nil {
		t.Fatal(err)
	}
	w := workflow{name: name, text: string(data)}
	if err := yaml.Unmarshal(data, &w); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return w
}

// loadAll reads all of them.
func loadAll(t *testing.T) []workflow {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.y*ml")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %v (%v), want at least ci, release and staging-deploy", files, err)
	}
	var all []workflow
	for _, f := range files {
		all = append(all, load(t, strings.TrimSuffix(filepath.Base(f), ".yml")))
	}
	return all
}

// script gives the shell of a step by its name.
func (w workflow) script(t *testing.T, jobName, stepName string) string {
	t.Helper()
	for _, s := range w.Jobs[jobName].Steps {
		if s.Name == stepName && s.Run != "" {
			return s.Run
		}
	}
	t.Fatalf("%s: job %s has no step %q with a script", w.name, jobName, stepName)
	return ""
}

// action gives the first step that uses an action.
func (w workflow) action(t *testing.T, jobName, action string) step {
	t.Helper()
	for _, s := range w.Jobs[jobName].Steps {
		if strings.HasPrefix(s.Uses, action+"@") {
			return s
		}
	}
	t.Fatalf("%s: job %s does not use %s", w.name, jobName, action)
	return step{}
}

// runner is the machine that a step runs on: a folder, commands in place of the
// cloud's, and what GitHub hands to a step.
type runner struct {
	t     *testing.T
	dir   string // working directory
	tools string // first on PATH
	env   map[string]string
}

// need gives up without a program that every GitHub runner has: by failing where
// nothing may be left out.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed: without it the workflows' scripts are not tested", p)
		}
		t.Skipf("%s is not installed", p)
	}
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	need(t, "bash", "jq", "awk", "sha256sum")
	r := &runner{t: t, dir: t.TempDir(), tools: t.TempDir()}
	temp := t.TempDir()
	r.env = map[string]string{
		"PATH": r.tools + ":" + os.Getenv("PATH"), "HOME": temp, "RUNNER_TEMP": temp, "CALLS": filepath.Join(temp, "calls"),
		"GITHUB_OUTPUT": filepath.Join(temp, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(temp, "summary"), "GITHUB_PATH": filepath.Join(temp, "path"),
		"GITHUB_SHA": sha, "GITHUB_REPOSITORY": "proerror77/Nova", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "17",
		"REGISTRY": registry, "PREFIX": "nova", "APPLICATION": "argocd/nova-staging", "NAMESPACE": "nova", "AWS_REGION": "ap-northeast-1",
	}
	for _, f := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH", "CALLS"} {
		r.write(r.env[f], "")
	}
	// Whatever a scenario does not expect fails it.
	for _, cloud := range []string{"aws", "kubectl", "trigger", "gh", "docker"} {
		r.tool(cloud, `echo "`+cloud+` was not expected" >&2; exit 99`)
	}
	return r
}

const (
	sha      = "61a77c6f90660000000000000000000000000001"
	registry = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com"
)

// tool puts a script in the place of a command. Its calls are recorded.
func (r *runner) tool(name, body string) {
	r.t.Helper()
	r.write(filepath.Join(r.tools, name), "#!/bin/bash\necho \""+name+" $*\" >>\"$CALLS\"\n"+body+"\n")
	if err := os.Chmod(filepath.Join(r.tools, name), 0o755); err != nil {
		r.t.Fatal(err)
	}
}

// write makes a file; a relative path is in the working directory.
func (r *runner) write(path, text string) {
	r.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// read gives a file's text, empty when it is not there.
func (r *runner) read(path string) string {
	r.t.Helper()
	if v, ok := r.env[path]; ok {
		path = v
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.dir, path)
	}
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return string(data)
}

// outputs gives what steps wrote for later ones.
func (r *runner) outputs() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(r.read("GITHUB_OUTPUT")) {
		if k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			out[k] = v
		}
	}
	return out
}

// run executes a script as GitHub does with `shell: bash`, and gives its exit
// status and what it printed.
func (r *runner) run(script string, env ...string) (int, string) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "step.sh")
	r.write(file, script)
	cmd := exec.CommandContext(r.t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", file)
	cmd.Dir = r.dir
	for k, v := range r.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}
