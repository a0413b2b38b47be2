package ecr

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// One failure more means one call more: there is one retry layer.
func TestTroubleThatPassesIsNotNoticed(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]ecremulator.FaultKind{
		"throttled": ecremulator.Throttle, "server error": ecremulator.ServerError, "unavailable": ecremulator.Unavailable,
		"connection cut": ecremulator.CutConnection, "body cut": ecremulator.CutBody,
		"JSON cut short": ecremulator.TruncatedJSON, "a proxy's page": ecremulator.HTMLBody, "an empty body": ecremulator.EmptyBody,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for op, call := range operations {
				for times := 1; times <= 3; times++ {
					w := newWorld(t)
					digest := w.push(1)[0]
					w.Inject(ecremulator.Fault{Kind: kind, Times: times})
					if err := call(t.Context(), w.client(t), digest); err != nil {
						t.Errorf("%s after %d failures: %v", op, times, err)
					}
					w.wantCalls(t, "", "", times+1)
					w.Close()
				}
			}
		})
	}
}

func TestStatusesAndCodesThatAreTriedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		again  bool
	}{
		"429 from a proxy, in words":        {429, "slow down", true},
		"429 without a body":                {429, "", true},
		"500 without a body":                {500, "", true},
		"500 with a load balancer's page":   {500, "<html>Internal Server Error</html>", true},
		"502 with a load balancer's page":   {502, "<html>Bad Gateway</html>", true},
		"503 with a load balancer's page":   {503, "<html>Service Unavailable</html>", true},
		"504 with a load balancer's page":   {504, "<html>Gateway Timeout</html>", true},
		"520 of a content network":          {520, "<html>?</html>", true},
		"500 InternalFailure":               {500, `{"__type":"InternalFailure"}`, true},
		"400 ThrottlingException":           {400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, true},
		"400 TooManyRequestsException":      {400, `{"__type":"TooManyRequestsException"}`, true},
		"400 ServerException":               {400, `{"__type":"ServerException"}`, true},
		"400 LimitExceededException":        {400, `{"__type":"LimitExceededException"}`, true},
		"400 AccessDeniedException":         {400, `{"__type":"AccessDeniedException"}`, false},
		"400 InvalidParameterException":     {400, `{"__type":"InvalidParameterException"}`, false},
		"400 RepositoryNotFoundException":   {400, `{"__type":"RepositoryNotFoundException"}`, false},
		"400 ImageNotFoundException":        {400, `{"__type":"ImageNotFoundException"}`, false},
		"400 ExpiredTokenException":         {400, `{"__type":"ExpiredTokenException"}`, false},
		"400 UnrecognizedClientException":   {400, `{"__type":"UnrecognizedClientException"}`, false},
		"400 with a code that no one knows": {400, `{"__type":"SomethingNew"}`, false},
		"404 of something that is not ECR":  {404, `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const failures = 6 // more than garbage is borne
			var calls atomic.Int64
			client := serving(t, func(w http.ResponseWriter, _ *http.Request) {
				if calls.Add(1) <= failures {
					w.WriteHeader(c.status)
					fmt.Fprint(w, c.body)
					return
				}
				fmt.Fprint(w, `{"imageDetails":[]}`)
			})
			err := client.List(t.Context(), auth, func([]Image) error { return nil })
			want := 1
			if c.again {
				want = failures + 1
			}
			if int(calls.Load()) != want || (err == nil) != c.again {
				t.Errorf("%d calls, %v; want %d", calls.Load(), err, want)
			}
		})
	}
}

func TestGarbageIsBorneAFewTimesOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		attempts int64
		want     string
	}{
		"200 with a proxy's page": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Sign in</html>") }, maxGarbage, "(4 attempts)"},
		"403 with a proxy's page": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>Blocked</html>", http.StatusForbidden)
		}, maxGarbage, "StatusCode: 403"},
		"200 without a body":    {func(http.ResponseWriter, *http.Request) {}, maxGarbage, "lacks the lists"},
		"a redirect to nowhere": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			client := serving(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); c.answer(w, r) })
			err := client.List(t.Context(), auth, func([]Image) error { return nil })
			wantError(t, err, ErrResponse, c.want, "check that AWS_ENDPOINT_URL_ECR and proxies lead to ECR")
			if calls.Load() != c.attempts {
				t.Errorf("%d calls, want %d", calls.Load(), c.attempts)
			}
		})
	}
}

var attempts = regexp.MustCompile(`^(\w+) on nova/auth-service \(\d+ attempts, last: (.*)\)$`)

func TestTroubleThatStaysEndsWithTheContextAndSaysWhatItWas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind ecremulator.FaultKind
		last string
	}{
		"throttled":      {ecremulator.Throttle, "^ThrottlingException: Rate exceeded$"},
		"server error":   {ecremulator.ServerError, "^ServerException: An internal failure occurred.$"},
		"connection cut": {ecremulator.CutConnection, "EOF|connection reset"},
		"body cut":       {ecremulator.CutBody, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			digest := w.push(1)[0]
			for op, call := range operations {
				w.ClearFaults()
				fault := w.Inject(ecremulator.Fault{Kind: c.kind})
				err := call(until(t, func() bool { return fault.Fired() >= 4 }), w.client(t), digest)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: error is %v, want the context's", op, err)
				}
				calls := Interrupted(fmt.Errorf("resolve: %w", errors.Join(errors.New("other"), err)))
				if len(calls) != 1 {
					t.Fatalf("%s: interrupted %q", op, calls)
				}
				m := attempts.FindStringSubmatch(calls[0])
				if m == nil || !regexp.MustCompile(c.last).MatchString(m[2]) || !strings.Contains("BatchGetImage DescribeImages DescribeImageScanFindings", m[1]) {
					t.Errorf("%s: interrupted %q, want last to match %q", op, calls[0], c.last)
				}
			}
		})
	}
}

func TestAnAttemptThatHangsIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]http.HandlerFunc{
		"before the answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"amid the answer": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"imageDetails":[`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const failures = 5 // more than garbage is borne
			var calls atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // or the server does not see the client leave
				if calls.Add(1) <= failures {
					hang(w, r)
					return
				}
				fmt.Fprint(w, `{"imageDetails":[]}`)
			}))
			t.Cleanup(s.Close)
			tune := quick()
			tune.attempt = 60 * time.Millisecond
			client := connect(t, s.URL, credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "SECRETEXAMPLE", ""), tune, Options{})
			if err := client.List(t.Context(), auth, func([]Image) error { return nil }); err != nil {
				t.Error(err)
			}
			if n := calls.Load(); n <= failures {
				t.Errorf("%d calls, want more than %d", n, failures)
			}
		})
	}
}

func TestACallThatHangsSaysSoWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Inject(ecremulator.Fault{Kind: ecremulator.Hang})
	client := w.client(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := client.DescribeTag(ctx, auth, "t0")
		done <- err
	}()
	for w.MaxInFlight() == 0 {
		time.Sleep(time.Millisecond)
	}
	if p := client.Pending(); p != "DescribeImages on nova/auth-service" {
		t.Errorf("pending is %q", p)
	}
	cancel()
	err := <-done
	if calls := Interrupted(err); !errors.Is(err, context.Canceled) || len(calls) != 1 || calls[0] != "DescribeImages on nova/auth-service" {
		t.Errorf("error is %v, interrupted %q", err, calls)
	}
	if p := client.Pending(); p != "" {
		t.Errorf("pending after the end is %q", p)
	}
}

func TestADeadlineIsToldFromACancellation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Inject(ecremulator.Fault{Kind: ecremulator.Throttle})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := w.client(t).DescribeTag(ctx, auth, "t0")
	if !errors.Is(err, context.DeadlineExceeded) || len(Interrupted(err)) != 1 {
		t.Errorf("error is %v", err)
	}
}

func TestPendingListsFiveCallsAndCountsTheRest(t *testing.T) {
	t.Parallel()
	var p Pending
	for i := range 7 {
		p.start("DescribeImages", fmt.Sprintf("r%d", i), 0)
	}
	if s := p.String(); !strings.HasPrefix(s, "DescribeImages on r0, DescribeImages on r1, ") || !strings.HasSuffix(s, "r4, and 2 more") {
		t.Errorf("pending is %q", s)
	}
}

func TestAWrongClockIsCorrectedByECRs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.push(1)
	w.SetClockSkew(3 * time.Hour)
	if _, err := w.client(t).DescribeTag(t.Context(), auth, "t0"); err != nil {
		t.Error(err)
	}
	w.wantCalls(t, "", "", 2)
}

func TestConnectionsThatFailForGoodAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	client := connect(t, s.URL, credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "SECRETEXAMPLE", ""), quick(), Options{})
	_, err := client.DescribeTag(t.Context(), auth, "t0")
	wantError(t, err, ErrUnavailable, "certificate", "AWS_CA_BUNDLE")
	if strings.Contains(err.Error(), "attempts") {
		t.Errorf("tried again: %v", err)
	}
}

func TestAPortThatNobodyListensOnIsTriedUntilTheEnd(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close()
	client := connect(t, url, credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "SECRETEXAMPLE", ""), quick(), Options{})
	refused := func() bool { return strings.Contains(client.Pending(), "connection refused") }
	_, err = client.DescribeTag(until(t, refused), auth, "t0")
	if calls := Interrupted(err); len(calls) != 1 || !strings.Contains(calls[0], "connection refused") {
		t.Errorf("error is %v, interrupted %q", err, calls)
	}
}

func TestAnAnswerThatIsNotHTTPIsTriedUntilTheEnd(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			fmt.Fprint(c, "SSH-2.0-OpenSSH\r\n")
			_ = c.Close()
		}
	}()
	client := connect(t, "http://"+l.Addr().String(), credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "SECRETEXAMPLE", ""), quick(), Options{})
	_, err = client.DescribeTag(until(t, func() bool { return strings.Contains(client.Pending(), "last: ") }), auth, "t0")
	if calls := Interrupted(err); len(calls) != 1 || strings.ContainsAny(calls[0], "\r\n") {
		t.Errorf("error is %v, interrupted %q", err, calls)
	}
}

func TestBackoffGrowsWithFullJitterUpToItsMaximum(t *testing.T) {
	t.Parallel()
	tune := tuning{minBackoff: 200 * time.Millisecond, maxBackoff: 5 * time.Second}
	r := newRetryer(tune)
	for attempt, most := range map[int]time.Duration{1: 200 * time.Millisecond, 2: 400 * time.Millisecond, 5: 3200 * time.Millisecond, 6: 5 * time.Second, 40: 5 * time.Second, 100000: 5 * time.Second} {
		distinct := map[time.Duration]bool{}
		for range 50 {
			d, err := r.RetryDelay(attempt, errors.New("x"))
			if err != nil || d <= 0 || d > most {
				t.Errorf("attempt %d waits %s, %v; want at most %s", attempt, d, err, most)
			}
			distinct[d] = true
		}
		if len(distinct) < 10 {
			t.Errorf("attempt %d: %d different waits of 50: no jitter", attempt, len(distinct))
		}
	}
}

// Found by the soak: an attempt whose answer breaks off leaves nothing behind, so
// that an empty answer after it is not completed from it.
func TestNothingIsLeftOfAnAnswerThatBreaksOff(t *testing.T) {
	t.Parallel()
	digest := digestOf("a")
	image := fmt.Sprintf(`{"imageDigest":%q,"imageTags":["t0"],"imagePushedAt":1}`, digest)
	broken := map[string][]string{
		"Find":        {`{"failures":[{"imageId":{"imageTag":"t0"},"failureCode":"ImageNotFound"}],"images":[`, `{"images":[],`},
		"Manifest":    {fmt.Sprintf(`{"failures":[],"images":[{"imageId":{"imageDigest":%q},"imageManifest":"{}"}],`, digest)},
		"Describe":    {`{"imageDetails":[` + image + `],`, `{"imageDetails":[`},
		"DescribeTag": {`{"imageDetails":[` + image + `],`, `{"imageDetails":[`},
		"List":        {`{"imageDetails":[` + image + `],"nextTok`, `{"imageDetails":[` + image + `,`},
		"Scan":        {`{"imageScanStatus":{"status":"COMPLETE"},"imageScanFindings":{"findings":[],"findingSeverityCounts":{}},`},
	}
	for name, answers := range broken {
		for _, first := range answers {
			for _, then := range []string{"", "{}", "null"} {
				t.Run(name+" "+first+" then "+then, func(t *testing.T) {
					t.Parallel()
					err := operations[name](t.Context(), answering(t, first, then), digest)
					wantError(t, err, ErrResponse)
				})
			}
		}
	}
}
