package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
)

// The set of a machine whose root lacks CAP_SYS_RESOURCE, bit 24.
const lacksSysResource bounds = 0x1fffeffffff

func TestBoundsAreReadFromTheProcessStatus(t *testing.T) {
	t.Parallel()
	got, err := parseBounds("Name:\tx\nCapEff:\t0000000000000000\nCapBnd:\t000001fffeffffff\nNoNewPrivs:\t0\n")
	if err != nil {
		t.Fatal(err)
	}
	if got != lacksSysResource {
		t.Errorf("got %x, want %x", got, lacksSysResource)
	}
	for _, status := range []string{"", "Name:\tx\n", "CapBnd:\tmany\n"} {
		if got, err := parseBounds(status); err == nil {
			t.Errorf("%q: got %x and no error", status, got)
		}
	}
}

func TestBoundsAllowWhatTheyHold(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"CAP_CHOWN":              true,
		"CAP_SYS_NICE":           true,
		"CAP_SYS_RESOURCE":       false,
		"CAP_SYS_TIME":           true,
		"CAP_CHECKPOINT_RESTORE": true,
		"CAP_OF_THE_FUTURE":      true,
	} {
		if got := lacksSysResource.allows(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestSpecsAreFoundInTheArgumentsOfRunc(t *testing.T) {
	t.Parallel()
	config := []spec{{path: "/b/config.json", within: []string{"process"}}}
	process := []spec{{path: "/tmp/process"}}
	for _, test := range []struct {
		name string
		args []string
		want []spec
	}{
		{"create", []string{"--root", "/r", "create", "--bundle", "/b", "--pid-file", "/p", "id"}, config},
		{"create with an equals sign", []string{"create", "--bundle=/b", "id"}, config},
		{"run with the short flag", []string{"run", "-b", "/b", "id"}, config},
		{"exec", []string{"exec", "--process", "/tmp/process", "--detach", "id"}, process},
		{"delete names none", []string{"--root", "/r", "delete", "--force", "id"}, nil},
		{"a flag at the end has no value", []string{"create", "--bundle"}, nil},
		{"the command of an exec is not runc's", []string{"exec", "id", "--", "x", "--bundle", "/b"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := findSpecs(test.args); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestLimitDropsOnlyWhatIsOutOfBounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, before, after string
		within              []string
	}{
		{
			name:   "in a bundle, and big numbers stay as they are",
			within: []string{"process"},
			before: `{"linux":{"n":9007199254740993},"process":{"args":["a<b"],"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"ambient":["CAP_SYS_RESOURCE"]}}}`,
			after:  `{"linux":{"n":9007199254740993},"process":{"args":["a<b"],"capabilities":{"bounding":["CAP_CHOWN"],"ambient":[]}}}`,
		},
		{
			name:   "in a process file",
			before: `{"capabilities":{"effective":["CAP_SYS_RESOURCE","CAP_KILL"]},"cwd":"/"}`,
			after:  `{"capabilities":{"effective":["CAP_KILL"]},"cwd":"/"}`,
		},
		{name: "nothing to drop", before: `{"capabilities":{"effective":["CAP_KILL"]}}`},
		{name: "no capabilities", before: `{"cwd":"/"}`},
		{name: "null capabilities", before: `{"capabilities":null}`},
		{name: "no process", within: []string{"process"}, before: `{"root":{"path":"x"}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, changed, err := limit(json.RawMessage(test.before), test.within, lacksSysResource)
			if err != nil {
				t.Fatal(err)
			}
			if changed != (test.after != "") {
				t.Errorf("changed is %v", changed)
			}
			if !changed {
				if string(got) != test.before {
					t.Errorf("unchanged, but got %s", got)
				}
				return
			}
			if got, want := decode(t, got), decode(t, json.RawMessage(test.after)); !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestLimitRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	for _, object := range []string{"", "[]", `{"capabilities":["CAP_CHOWN"]}`, `{"capabilities":{"bounding":"all"}}`} {
		if _, _, err := limit(json.RawMessage(object), nil, lacksSysResource); err == nil {
			t.Errorf("%q: no error", object)
		}
	}
}

// A bundle is rewritten before runc, here a script that shows it, is started in
// this program's place.
func TestRuncStartsWithTheLimitedBundle(t *testing.T) {
	t.Parallel()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	here, err := parseBounds(string(status))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "boundedrunc")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write(t, filepath.Join(dir, "runc"), "#!/bin/sh\necho \"$@\"\n/bin/cat \"$3/config.json\"\n", 0o755)
	all, err := json.Marshal(map[string]any{"process": map[string]any{"capabilities": map[string]any{"bounding": names}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.json"), string(all), 0o600)

	command := exec.Command(program, "create", "--bundle", dir, "id")
	command.Env = []string{"PATH=" + dir}
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var allowed []string
	for _, name := range names {
		if here.allows(name) {
			allowed = append(allowed, name)
		}
	}
	var got struct {
		Process struct {
			Capabilities struct{ Bounding []string }
		}
	}
	first := "create --bundle " + dir + " id\n"
	if len(out) < len(first) || string(out[:len(first)]) != first {
		t.Fatalf("runc was started otherwise: %s", out)
	}
	if err := json.Unmarshal(out[len(first):], &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Process.Capabilities.Bounding, allowed) {
		t.Errorf("got %v, want %v", got.Process.Capabilities.Bounding, allowed)
	}
}

func decode(t *testing.T, object json.RawMessage) any {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		t.Fatal(err)
	}
	decoded := map[string]any{}
	for key, value := range fields {
		// As text, or a big number would lose digits in both.
		decoded[key] = string(value)
		var inner map[string]any
		if key != "linux" && json.Unmarshal(value, &inner) == nil {
			decoded[key] = inner
		}
	}
	return decoded
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
