package motoaccount

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unknown to moto: of these the CLI checks options and their values, and makes no
// call.
var unknown = []string{
	"eks create-access-entry", "eks create-pod-identity-association", "eks list-pod-identity-associations",
	"eks update-pod-identity-association",
}

// Tools is a folder with the program aws, which is the CLI and reaches the account
// only. To be the first on PATH.
func (a *Account) Tools(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	// Version 1 of the CLI takes no endpoint for SQS from the environment.
	script := "#!/bin/sh\ncase \"$1 $2\" in\n" +
		"'" + strings.Join(unknown, "'|'") + "') exec '" + a.aws + "' \"$@\" --generate-cli-skeleton output ;;\nesac\n" +
		"exec '" + a.aws + "' --endpoint-url '" + a.URL + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// CLI runs the AWS CLI and gives what it says.
func (a *Account) CLI(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), a.aws, append([]string{"--endpoint-url", a.URL}, args...)...)
	cmd.Env = a.Env()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("aws %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

// JSON runs the AWS CLI and reads its answer into v.
func (a *Account) JSON(t testing.TB, v any, args ...string) {
	t.Helper()
	out := a.CLI(t, append(args, "--output", "json")...)
	if err := json.Unmarshal([]byte(out), v); err != nil {
		t.Fatalf("aws %s: %v in %s", strings.Join(args, " "), err, out)
	}
}
