package board_test

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/board"
)

var update = flag.Bool("update", false, "take the picture in docs anew")

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const commit = "61a77c6f9066d8a3b6c1f2e4a5b6c7d8e9f0a1b2"

func sample() board.Status {
	image := func(name string) board.Image {
		return board.Image{
			Name: "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/" + name, Tag: commit, Commit: commit,
			Digest: "sha256:" + strings.Repeat("a", 64), PushedAt: noon.Add(-24 * time.Hour),
		}
	}
	return board.Status{
		Time: noon, Replica: "nova-trigger-0", Leader: "nova-trigger-0", Acting: true, Sources: []string{"queue nova-trigger"},
		Applications: []board.Row{
			{
				Application: "argocd/nova-staging", Instant: noon.Add(-time.Hour), State: "RolledBack", Since: noon.Add(-time.Minute), Bad: noon.Add(-3 * time.Minute),
				Message: "from 2026-11-20T11:57:00Z: Job smoke: Job has failed: health: nova/auth-service answers 500 <script>alert(1)</script>",
				Reason:  "rollback from 2026-11-20T11:57:00Z", By: "trigger watch (nova-trigger-0)", Health: "Healthy", Sync: "Synced", Operation: "Succeeded",
				Images:   []board.Image{image("auth-service"), image("content-service"), image("messaging-service"), {Name: "docker.io/library/redis", Tag: "8"}},
				Settling: &board.Settling{Pushes: []string{"nova/auth-service:8cf41a89ce53", "nova/user-service:8cf41a89ce53"}, Ready: noon.Add(18 * time.Second), Have: 2, Want: 8},
			},
			{Application: "argocd/nova-dev", Instant: noon.Add(-2 * time.Minute), State: "Verified", Since: noon, Hold: "demonstration at 15:00 (by ada)", Health: "Healthy", Sync: "Synced", Images: []board.Image{image("auth-service")}},
		},
	}
}

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(board.Handler(sample, func() time.Time { return noon }))
	t.Cleanup(s.Close)
	return s
}

func TestThePageAndTheJSONSayTheSame(t *testing.T) {
	t.Parallel()
	s := serve(t)
	read := func(path string) (string, http.Header) {
		res, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		data, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(data), res.Header
	}
	page, header := read("/")
	text, _ := read("/api/v1/status")
	var got board.Status
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for _, row := range got.Applications {
		if !strings.Contains(page, row.Application) || !strings.Contains(page, row.State) {
			t.Errorf("the page lacks %s %s", row.Application, row.State)
		}
	}
	for _, want := range []string{"answers 500 &lt;script&gt;", "2 of 8", "moves in 18s", "demonstration at 15:00", commit[:12], "24h00m ago"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script") || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("a message can bring a script along")
	}
}

// TestThePageInABrowser looks with a real one: that it lays out without
// scripts, that nothing is wider than a phone, and that both colour schemes are
// readable is asked of the rendered page itself.
func TestThePageInABrowser(t *testing.T) {
	t.Parallel()
	chromium := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed, and in CI it must be")
		}
		t.Skip("chromium is not installed: the page was not looked at (apt-get install chromium)")
	}
	s := serve(t)
	// A frame of a phone's width around the page tells its real width: the page
	// itself runs no scripts.
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		res, err := http.Get(s.URL)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		page, _ := io.ReadAll(res.Body)
		text := strings.Replace(string(page), "</body>", `<script>
const wide = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName);
const box = e => getComputedStyle(e);
document.body.dataset.result = JSON.stringify({width: innerWidth, scroll: document.documentElement.scrollWidth, wide,
 articles: document.querySelectorAll("article").length, h2: document.querySelector("h2").textContent, font: parseFloat(box(document.body).fontSize),
 background: box(document.body).backgroundColor, ink: box(document.body).color, height: document.querySelector("summary").getBoundingClientRect().height});
</script></body>`, 1)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(outer.Close)
	run := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		args = append([]string{
			"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
			"--user-data-dir=" + t.TempDir(),
		}, args...)
		cmd := exec.CommandContext(ctx, chromium, args...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", strings.Join(args, " "), err)
		}
		return string(out)
	}
	type result struct {
		Width, Scroll, Articles int
		Wide                    []string
		H2, Background, Ink     string
		Font, Height            float64
	}
	look := func(args ...string) result {
		dom := run(append(args, "--dump-dom", outer.URL)...)
		_, rest, ok := strings.Cut(dom, `data-result="`)
		text, _, _ := strings.Cut(rest, `"`)
		var r result
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "&quot;", `"`)), &r); !ok || err != nil {
			t.Fatalf("the browser gave no result: %v in %.500s", err, dom)
		}
		return r
	}
	phone := look("--window-size=500,900") // the narrowest window that headless Chromium opens
	if phone.Scroll > phone.Width || len(phone.Wide) > 0 || phone.Articles != 2 || phone.Font < 15 || phone.H2 != "argocd/nova-staging" || phone.Height < 24 {
		t.Errorf("on a phone: %+v", phone)
	}
	dark := look("--window-size=1280,900", "--blink-settings=preferredColorScheme=0")
	if dark.Background == phone.Background || dark.Ink == phone.Ink {
		t.Errorf("the dark scheme is the light one: %+v, %+v", phone, dark)
	}
	if dir := os.Getenv("BOARD_SCREENSHOTS"); dir != "" {
		run("--window-size=500,1500", "--screenshot="+filepath.Join(dir, "phone.png"), s.URL)
		run("--window-size=1280,1000", "--blink-settings=preferredColorScheme=0", "--screenshot="+filepath.Join(dir, "desktop-dark.png"), s.URL)
	}
	if *update {
		docs := httptest.NewServer(board.Handler(afterABadPush, func() time.Time { return noon }))
		t.Cleanup(docs.Close)
		picture, err := filepath.Abs(filepath.Join("..", "..", "docs", "board.png"))
		if err != nil {
			t.Fatal(err)
		}
		run("--window-size=1000,700", "--screenshot="+picture, docs.URL)
	}
}

// afterABadPush is what docs/board.png shows.
func afterABadPush() board.Status {
	s := sample()
	s.Applications = s.Applications[:1]
	row := &s.Applications[0]
	row.Message = "from 2026-11-20T11:57:00Z: Job smoke: Job has failed: exit code 13: a health endpoint or the Service's routing is wrong"
	row.Settling.Pushes = []string{"nova/auth-service:8cf41a89ce53", "nova/user-service:8cf41a89ce53"}
	image := row.Images[0]
	row.Images = nil
	for _, name := range []string{"auth", "content", "feed", "media", "messaging", "search", "streaming", "user"} {
		image.Name = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/" + name + "-service"
		row.Images = append(row.Images, image)
	}
	return s
}
