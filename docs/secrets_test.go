package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestTheNotificationsSecretHasNoNewlineInItsToken runs the page's command with files
// as editors leave them, and looks at what kubectl is given to read.
func TestTheNotificationsSecretHasNoNewlineInItsToken(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(pages, "notifications.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^ +kubectl .* create secret generic argocd-notifications-secret .*$`).FindString(joined(string(page)))
	command := regexp.MustCompile(` …|\| kubectl apply -f -$`).ReplaceAllString(shown, "")
	if command == "" {
		t.Fatal("notifications.md does not show how the Secret is made")
	}
	dir := t.TempDir()
	const key = "-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n"
	for name, text := range map[string]string{
		"slack-token": "xoxb-1\n", "app.pem": key,
		// Writes each --from-file=KEY=FILE, or =FILE, to got/KEY.
		"kubectl": `#!/bin/sh
mkdir got
for arg; do
  case $arg in --from-file=*)
    arg=${arg#--from-file=}
    cat "${arg#*=}" >"got/${arg%%=*}" || exit ;;
  esac
done
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
	c.Dir, c.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, command, out)
	}
	for name, want := range map[string]string{"slack-token": "xoxb-1", "github-privateKey": key} {
		got, err := os.ReadFile(filepath.Join(dir, "got", name))
		if err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
}
