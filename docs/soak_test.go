package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheSoakRunsAsMuchAsItsPageSays holds `make soak` to its page and its help, and
// the short soak of every test run to the page.
func TestTheSoakRunsAsMuchAsItsPageSays(t *testing.T) {
	t.Parallel()
	root := filepath.Dir(pages)
	page := readPage(t, filepath.Join(pages, "soak.md"))
	help := regexp.MustCompile(`(?m)^soak: ## .*$`).FindString(readPage(t, filepath.Join(root, "Makefile")))
	soak := ""
	files, err := filepath.Glob(filepath.Join(root, "soak", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		soak += readPage(t, f)
	}
	for _, x := range []struct{ variable, what, long, short string }{
		{"SOAK_RENDERS", "renders", "10,000", "200"},
		{"SOAK_SMOKES", "smokes", "500", "24"},
		{"SOAK_CYCLES", "cycles", "1,000", "16"},
	} {
		if run, want := recipe(t, root), x.variable+"="+strings.ReplaceAll(x.long, ",", "")+" "; !strings.Contains(run, want) {
			t.Errorf("make soak does not set %s: %s", want, run)
		}
		if run, want := recipe(t, root, x.variable+"=7"), x.variable+"=7 "; !strings.Contains(run, want) {
			t.Errorf("make soak %s runs %s", want, run)
		}
		if want := x.long + " " + x.what; !strings.Contains(help, want) || !regexp.MustCompile(`(?m)^ +# .*\b`+want+`\b.*\n +make soak$`).MatchString(page) {
			t.Errorf("make soak is %s, which help and page do not say: %s", want, help)
		}
		if want := x.short + " " + x.what; !strings.Contains(soak, `"`+x.variable+`", `+x.short+")") || !regexp.MustCompile(`(?m)^ +# .*\b`+want+`\b.*\n +go test \./soak$`).MatchString(page) {
			t.Errorf("the tests run another number than %s, or the page says another", want)
		}
		for _, m := range regexp.MustCompile(x.variable+`[^()]*\(default (\d+)\)`).FindAllStringSubmatch(soak, -1) {
			if m[1] != x.short {
				t.Errorf("a comment in soak says %s is %s by default, not %s", x.variable, m[1], x.short)
			}
		}
	}
}

// recipe is what make would run for soak, where the environment says nothing of it.
func recipe(t *testing.T, dir string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "make", append([]string{"--no-print-directory", "-n", "soak"}, args...)...)
	c.Dir = dir
	for _, v := range os.Environ() {
		// Those of a make that runs this test are about that one.
		if !strings.HasPrefix(v, "SOAK_") && !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS=") {
			c.Env = append(c.Env, v)
		}
	}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("make -n soak: %v\n%s", err, out)
	}
	return string(out)
}

func readPage(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
