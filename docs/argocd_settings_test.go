package docs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	docpages "github.com/proerror77/nova-staging/e2e/pages"
)

// TestTheWebhooksSecretIsWhatGitHubIsGiven runs the block with a kubectl that keeps the
// patch. Argo CD compares the bytes as they are: a newline more refuses every webhook.
func TestTheWebhooksSecretIsWhatGitHubIsGiven(t *testing.T) {
	t.Parallel()
	page, err := docpages.Read(filepath.Dir(pages), "docs/argocd-settings.md")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(page.Blocks, func(b docpages.Block) bool {
		return strings.Contains(b.Text, "webhook.github.secret") && strings.Contains(b.Text, "kubectl")
	})
	if i < 0 {
		t.Fatal("the page does not set the secret")
	}
	dir, tools := t.TempDir(), t.TempDir()
	kubectl := "#!/bin/sh\nprintf '%s\\n' \"$*\" >args\ncat >patch\n"
	if err := os.WriteFile(filepath.Join(tools, "kubectl"), []byte(kubectl), 0o755); err != nil {
		t.Fatal(err)
	}
	shell, err := docpages.NewShell(t.TempDir(), dir, "PATH="+tools+":"+os.Getenv("PATH"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := shell.Run(t.Context(), page.Blocks[i].Text); err != nil || r.Status != 0 {
		t.Fatalf("status %d, %v\n%s%s", r.Status, err, r.Stdout, r.Stderr)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if args, want := read("args"), "-n argocd patch secret argocd-secret --type merge --patch-file /dev/stdin\n"; args != want {
		t.Errorf("kubectl %s, want %s", args, want)
	}
	var patch struct {
		StringData map[string]string `json:"stringData"`
	}
	if err := json.Unmarshal([]byte(read("patch")), &patch); err != nil {
		t.Fatal(err)
	}
	got := patch.StringData["webhook.github.secret"]
	if len(patch.StringData) != 1 || !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(got) || strings.TrimSpace(read("secret")) != got {
		t.Errorf("the patch is %q, want the text of the file without its newline", patch.StringData)
	}
}
