package ecr

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	em "github.com/proerror77/nova-staging/internal/ecremulator"
)

const (
	otherAccount = "111122223333"
	otherHost    = otherAccount + ".dkr.ecr." + region + ".amazonaws.com"
	reader       = "arn:aws:iam::" + otherAccount + ":role/reader"
)

// foreign adds a repository of another account with one image.
func (w *world) foreign(t testing.TB) Repository {
	t.Helper()
	registry := must(w.CreateRegistry(otherAccount, region))
	must(must(registry.CreateRepository("team/app")).Push(em.OCIImage("x"), "v1"))
	registry.Allow(reader)
	return must(ParseRepository(otherHost + "/team/app"))
}

func (w *world) clientWith(t testing.TB, roles ...Role) *Client {
	t.Helper()
	return connect(t, w.URL, static(w.Credentials()), quick(), Options{Roles: roles})
}

func TestARefusedCallSaysWhyAndWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*world)
		kind  error
		want  []string
	}{
		"access denied": {
			func(w *world) { w.Deny(em.Denial{Repository: auth.Name}) },
			ErrDenied,
			[]string{"is not authorized to perform: ecr:", "allow the role ecr:"},
		},
		"expired session": {
			func(w *world) { w.Inject(em.Fault{Kind: em.ExpiredToken}) },
			ErrCredentials,
			[]string{"expired: ExpiredTokenException", "renew them"},
		},
		"unknown access key": {
			func(w *world) { w.RevokeKey(w.Credentials().AccessKeyID) },
			ErrCredentials,
			[]string{"not accepted: UnrecognizedClientException", "check which credentials", "region ap-northeast-1 is enabled"},
		},
		"signature that has expired": {
			func(w *world) { w.Inject(em.Fault{Kind: em.SignatureExpired}) },
			ErrCredentials,
			[]string{"not accepted: InvalidSignatureException", "its clock is right"},
		},
		"repository that does not exist": {
			func(w *world) { w.registry.DeleteRepository(auth.Name) },
			ErrRepositoryNotFound,
			[]string{"registry 025434362120 in ap-northeast-1 has no repository nova/auth-service", "create it or correct"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			digest := w.push(1)[0]
			c.spoil(w)
			for _, call := range operations {
				w.Reset()
				err := call(t.Context(), w.client(t), digest)
				wantError(t, err, c.kind, append(c.want, " on "+host+"/nova/auth-service: ")...)
				w.wantCalls(t, "", "", 1) // nothing of this is worth another
			}
		})
	}
}

func TestAWrongSecretKeyIsNotAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := w.Credentials()
	client := connect(t, w.URL, credentials.NewStaticCredentialsProvider(own.AccessKeyID, "wrong-wrong-wrong", ""), quick(), Options{})
	_, err := client.DescribeTag(t.Context(), auth, "t0")
	wantError(t, err, ErrCredentials, "not accepted: InvalidSignatureException")
}

// Everything that the SDK looks at for credentials is taken away; the error must
// be the same whatever an upgrade of the SDK calls it.
func TestNoCredentialsAtAll(t *testing.T) {
	w := newWorld(t)
	isolate(t)
	t.Setenv("AWS_ENDPOINT_URL_ECR", w.URL)
	client, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for op, call := range operations {
		err := call(t.Context(), client, digestOf("a"))
		wantError(t, err, ErrCredentials, "none could be obtained: ", "give the process credentials: IRSA")
		if strings.Contains(err.Error(), "attempts") {
			t.Errorf("%s was tried again: %v", op, err)
		}
	}
	if n := len(w.Calls()); n != 0 {
		t.Errorf("%d calls without credentials", n)
	}
}

// isolate hides this machine's AWS configuration from the SDK.
func isolate(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
}

// The SDK tries a source of credentials a few times itself. ECR's retries, which
// have no limit, must not multiply that.
func TestASourceOfCredentialsThatFailsIsGivenUpSoon(t *testing.T) {
	for name, c := range map[string]struct {
		variable string
		status   int
		most     int64
	}{
		"Pod Identity in trouble":    {"AWS_CONTAINER_CREDENTIALS_FULL_URI", 500, 3},
		"Pod Identity that refuses":  {"AWS_CONTAINER_CREDENTIALS_FULL_URI", 403, 1},
		"metadata of another cloud":  {"AWS_EC2_METADATA_SERVICE_ENDPOINT", 404, 4},
		"metadata without this role": {"AWS_EC2_METADATA_SERVICE_ENDPOINT", 403, 4},
	} {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			_ = os.Unsetenv("AWS_EC2_METADATA_DISABLED")
			var asked atomic.Int64
			source := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				rw.WriteHeader(c.status)
			}))
			t.Cleanup(source.Close)
			t.Setenv(c.variable, source.URL)
			t.Setenv("AWS_ENDPOINT_URL_ECR", newWorld(t).URL)
			client := must(newClient(t.Context(), Options{}, impatient()))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := client.DescribeTag(ctx, auth, "t0")
			wantError(t, err, ErrCredentials, "none could be obtained: ")
			if n := asked.Load(); n == 0 || n > c.most {
				t.Errorf("asked %d times, want at most %d", n, c.most)
			}
		})
	}
}

func TestIRSA(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJub3ZhIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
	const role = "arn:aws:iam::" + account + ":role/irsa"
	for name, c := range map[string]struct {
		trusted string
		create  bool
		fault   *em.Fault
		want    []string // nil for success
	}{
		"works":                       {trusted: token, create: true},
		"STS is throttled once":       {trusted: token, create: true, fault: &em.Fault{Kind: em.Throttle, Op: "AssumeRoleWithWebIdentity", Times: 1}},
		"the role does not exist":     {want: []string{"AssumeRoleWithWebIdentity: AccessDenied: Not authorized", "check the role that the ServiceAccount names"}},
		"the role trusts another one": {trusted: "other", create: true, want: []string{"AssumeRoleWithWebIdentity: InvalidIdentityToken: No OpenIDConnect provider", "trust policy"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.push(1)
			if c.create {
				must(w.CreateRole(role, em.WithWebIdentity(c.trusted)))
			}
			if c.fault != nil {
				w.Inject(*c.fault)
			}
			isolate(t)
			file := filepath.Join(t.TempDir(), "token")
			must(0, os.WriteFile(file, []byte(token), 0o600))
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ROLE_ARN", role)
			t.Setenv("AWS_REGION", region)
			t.Setenv("AWS_ENDPOINT_URL_STS", w.URL)
			t.Setenv("AWS_ENDPOINT_URL_ECR", w.URL)
			client := must(newClient(t.Context(), Options{}, impatient()))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, err := client.DescribeTag(ctx, auth, "t0")
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, ErrCredentials, append(c.want, "none could be obtained: ")...)
			if n := w.Count("AssumeRoleWithWebIdentity", ""); n > 3 {
				t.Errorf("STS was asked %d times", n)
			}
		})
	}
}

// impatient is quick with the SDK's sources of credentials, too; they keep their
// few attempts.
func impatient() tuning {
	tune := quick()
	tune.load = append(tune.load, config.WithRetryer(func() aws.Retryer {
		return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond)
	}))
	return tune
}

func TestARoleIsAssumedOnceForTheRegistriesThatItIsFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.push(1)
	theirs := w.foreign(t)
	must(w.CreateRole(reader, em.WithExternalID("nova")))
	client := w.clientWith(t, Role{Host: otherAccount + ".dkr.ecr.*.amazonaws.com", ARN: reader, ExternalID: "nova"})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := client.DescribeTag(t.Context(), theirs, "v1"); err != nil {
				t.Error(err)
			}
			if _, err := client.DescribeTag(t.Context(), auth, "t0"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.wantCalls(t, "AssumeRole", "", 1)
	for _, call := range w.Calls() {
		session := strings.HasPrefix(call.AccessKeyID, "ASIA")
		if call.Service == "ecr" && session != (call.Account == otherAccount) {
			t.Errorf("registry %s was asked with key %s", call.Account, call.AccessKeyID)
		}
	}
}

func TestARoleThatCanNotBeAssumedIsNotTheRepositorysFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role  Role
		spoil func(*world)
		want  []string
	}{
		"role that does not exist": {
			Role{Host: "*", ARN: "arn:aws:iam::111122223333:role/none"},
			nil,
			[]string{"role arn:aws:iam::111122223333:role/none could not be assumed: AssumeRole: AccessDenied: User: ", "is not authorized to perform: sts:AssumeRole", "check the ARN and the external ID"},
		},
		"wrong external ID": {
			Role{Host: "*", ARN: reader, ExternalID: "wrong"},
			nil,
			[]string{"role " + reader + " could not be assumed: AssumeRole: AccessDenied", "external ID"},
		},
		"no external ID": {
			Role{Host: "*", ARN: reader},
			nil,
			[]string{"role " + reader + " could not be assumed: AssumeRole: AccessDenied", "external ID"},
		},
		"the process's own credentials have expired": {
			Role{Host: "*", ARN: reader},
			func(w *world) { w.Inject(em.Fault{Kind: em.ExpiredToken, Op: "AssumeRole"}) },
			[]string{"role " + reader + " could not be assumed: AssumeRole: ExpiredToken", "renew them"},
		},
		"the process's own key is not known": {
			Role{Host: "*", ARN: reader},
			func(w *world) { w.RevokeKey(w.Credentials().AccessKeyID) },
			[]string{"role " + reader + " could not be assumed: AssumeRole: InvalidClientTokenId", "check which credentials the process has"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			theirs := w.foreign(t)
			must(w.CreateRole(reader, em.WithExternalID("nova")))
			if c.spoil != nil {
				c.spoil(w)
			}
			_, err := w.clientWith(t, c.role).Find(t.Context(), theirs, []string{"v1"})
			wantError(t, err, ErrCredentials, c.want...)
			if errors.Is(err, ErrDenied) || strings.Contains(err.Error(), "ecr:BatchGetImage") {
				t.Errorf("blames the repository: %v", err)
			}
			w.wantCalls(t, "AssumeRole", "", 1)
			w.wantCalls(t, "", "", 0)
		})
	}
}

type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("nothing here")
}

func TestARoleNeedsCredentialsOfTheProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := connect(t, w.URL, noCredentials{}, quick(), Options{Roles: []Role{{Host: "*", ARN: reader}}})
	_, err := client.DescribeTag(t.Context(), auth, "t0")
	wantError(t, err, ErrCredentials, "role "+reader+" could not be assumed: the process has no credentials of its own: ", "nothing here", "give the process credentials")
	if n := len(w.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// STS has its own retries, and ECR's do not multiply them.
func TestSTSIsRetriedInOneLayer(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]em.FaultKind{
		"throttled": em.Throttle, "server error": em.ServerError, "unavailable": em.Unavailable, "connection cut": em.CutConnection, "body cut": em.CutBody,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			theirs := w.foreign(t)
			must(w.CreateRole(reader))
			w.Inject(em.Fault{Kind: kind, Op: "AssumeRole", Times: 5})
			if _, err := w.clientWith(t, Role{Host: "*", ARN: reader}).DescribeTag(t.Context(), theirs, "v1"); err != nil {
				t.Error(err)
			}
			w.wantCalls(t, "AssumeRole", "", 6)
			w.wantCalls(t, "", "", 1)
		})
	}
}

func TestSTSThatIsThrottledForGoodEndsWithTheContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.foreign(t)
	must(w.CreateRole(reader))
	fault := w.Inject(em.Fault{Kind: em.Throttle, Op: "AssumeRole"})
	client := w.clientWith(t, Role{Host: "*", ARN: reader})
	ctx := until(t, func() bool {
		return fault.Fired() >= 4 && strings.Count(client.Pending(), "waiting for AssumeRole") == 3
	})
	failures := make([]error, 3)
	var wg sync.WaitGroup
	for i := range failures {
		wg.Go(func() { _, failures[i] = client.DescribeTag(ctx, theirs, "v1") })
	}
	wg.Wait()
	for _, err := range failures {
		calls := Interrupted(err)
		if !errors.Is(err, context.Canceled) || len(calls) != 1 ||
			!strings.HasPrefix(calls[0], "DescribeImages on team/app (waiting for AssumeRole on "+reader+", ") ||
			!strings.HasSuffix(calls[0], " attempts, last: Throttling: Rate exceeded)") {
			t.Errorf("error is %v, interrupted %q", err, calls)
		}
	}
}

// The SDK goes on assuming a role when all who waited for it have left.
func TestAssumingARoleEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.foreign(t)
	must(w.CreateRole(reader))
	w.Inject(em.Fault{Kind: em.Throttle, Op: "AssumeRole"})
	tune := quick()
	tune.assume = 400 * time.Millisecond
	client := connect(t, w.URL, static(w.Credentials()), tune, Options{Roles: []Role{{Host: "*", ARN: reader}}})
	_, err := client.DescribeTag(t.Context(), theirs, "v1")
	wantError(t, err, ErrCredentials, "role "+reader+" could not be assumed: ", "gave up after 400ms: AssumeRole on "+reader, "last: Throttling: Rate exceeded")
	if p := client.Pending(); p != "" {
		t.Errorf("pending is %q", p)
	}
}

func TestASessionThatExpiredIsRenewedByTheNextCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := w.foreign(t)
	must(w.CreateRole(reader))
	client := w.clientWith(t, Role{Host: "*", ARN: reader})
	if _, err := client.DescribeTag(t.Context(), theirs, "v1"); err != nil {
		t.Fatal(err)
	}
	w.wantCalls(t, "", "", 1)
	calls := w.Calls()
	if !w.ExpireSession(calls[len(calls)-1].AccessKeyID) {
		t.Fatal("no session to expire")
	}
	_, err := client.DescribeTag(t.Context(), theirs, "v1")
	wantError(t, err, ErrCredentials, "expired: ExpiredTokenException")
	if _, err := client.DescribeTag(t.Context(), theirs, "v1"); err != nil {
		t.Errorf("with a new session: %v", err)
	}
}

// A private authority is common where proxies inspect connections.
func TestAPrivateAuthorityIsTakenFromTheEnvironment(t *testing.T) {
	isolate(t)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"imageDetails":[]}`) }))
	t.Cleanup(s.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	must(0, os.WriteFile(bundle, pemOf(s.Certificate().Raw), 0o600))
	t.Setenv("AWS_CA_BUNDLE", bundle)
	t.Setenv("AWS_ENDPOINT_URL_ECR", s.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "SECRETEXAMPLE")
	client, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.List(t.Context(), auth, func([]Image) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestAProfileThatDoesNotExist(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_PROFILE", "nowhere")
	_, err := New(t.Context(), Options{})
	wantError(t, err, ErrCredentials, "load AWS configuration: ", "nowhere")
}

func TestOptionsAreChecked(t *testing.T) {
	isolate(t)
	if _, err := New(t.Context(), Options{Concurrency: -1}); err == nil || !strings.Contains(err.Error(), "concurrency is -1, want at least 1") {
		t.Errorf("error is %v", err)
	}
}

// The SDK refuses to combine a custom endpoint with FIPS or dual-stack.
func TestACustomEndpointServesFIPSAndDualStackHosts(t *testing.T) {
	w := newWorld(t, em.WithOpenAccess())
	w.push(1)
	isolate(t)
	for name, value := range w.Env() {
		t.Setenv(name, value)
	}
	client := must(New(t.Context(), Options{}))
	for _, host := range []string{
		account + ".dkr.ecr." + region + ".amazonaws.com", account + ".dkr.ecr-fips." + region + ".amazonaws.com",
		account + ".dkr-ecr." + region + ".on.aws", account + ".dkr-ecr-fips." + region + ".on.aws",
	} {
		if _, err := client.DescribeTag(t.Context(), must(ParseRepository(host+"/"+name)), "t0"); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// Without a custom endpoint the host decides; nothing is sent in this test.
func TestEndpointsOfHosts(t *testing.T) {
	isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "SECRETEXAMPLE")
	for host, want := range map[string]string{
		"025434362120.dkr.ecr.ap-northeast-1.amazonaws.com":           "ecr.ap-northeast-1.amazonaws.com",
		"025434362120.dkr.ecr-fips.us-east-1.amazonaws.com":           "ecr-fips.us-east-1.amazonaws.com",
		"025434362120.dkr-ecr.us-west-2.on.aws":                       "ecr.us-west-2.api.aws",
		"025434362120.dkr-ecr-fips.us-west-2.on.aws":                  "ecr-fips.us-west-2.api.aws",
		"025434362120.dkr.ecr.cn-north-1.amazonaws.com.cn":            "ecr.cn-north-1.amazonaws.com.cn",
		"025434362120.dkr.ecr.us-gov-west-1.amazonaws.com":            "ecr.us-gov-west-1.amazonaws.com",
		"025434362120.dkr.ecr-fips.us-gov-west-1.amazonaws.com":       "ecr-fips.us-gov-west-1.amazonaws.com",
		"025434362120.dkr.ecr.us-iso-east-1.c2s.ic.gov":               "ecr.us-iso-east-1.c2s.ic.gov",
		"025434362120.dkr.ecr.eusc-de-east-1.amazonaws.eu":            "ecr.eusc-de-east-1.amazonaws.eu",
		"025434362120.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn": "ecr.cn-north-1.api.amazonwebservices.com.cn",
	} {
		t.Run(host, func(t *testing.T) {
			client := must(New(t.Context(), Options{}))
			asked := make(chan string, 1)
			client.cfg.HTTPClient = doFunc(func(r *http.Request) (*http.Response, error) {
				asked <- r.URL.Host
				return nil, &certificateError
			})
			_, err := client.DescribeTag(t.Context(), must(ParseRepository(host+"/a/b")), "x")
			if err == nil {
				t.Fatal("no error")
			}
			select {
			case got := <-asked:
				if strings.TrimPrefix(got, "api.") != want { // ECR answers on both names
					t.Errorf("asked %s, want %s", got, want)
				}
			default:
				t.Errorf("asked nobody: %v", err)
			}
		})
	}
}
