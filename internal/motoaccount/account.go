package motoaccount

import (
	"bufio"
	"bytes"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/proerror77/nova-staging/internal/novaworld"
)

const (
	// ID is the account's number, and Region where all of it is: those of the pages.
	ID     = novaworld.Account
	Region = novaworld.Region
)

// install is what gives the programs. Debian's awscli is older than some options
// that the pages use.
const install = "python3 -m pip install 'moto[server]==5.2.1' 'awscli==1.45.11'"

// Account is the account. Make it with [Start].
type Account struct {
	// URL is the endpoint of all services.
	URL string

	moto *url.URL
	aws  string // the CLI's path
	home string // with nothing in it

	mu    sync.Mutex
	calls map[string][]Call // by access key
}

// Credentials are a key of the account.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// root may do everything. moto takes any key until [Account.Enforce].
var root = Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMIexample"}

// Program gives the path of a program that comes with moto. Where nothing may be left out, its absence
// fails the test.
func Program(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		what := program + " is not installed (" + install + "): nothing was asked of an account"
		if os.Getenv("CI") == "true" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	return path
}

var running = regexp.MustCompile(`Running on (http://127\.0\.0\.1:[0-9]+)`)

// Start makes an empty account until the test ends. Skips the test where moto or the
// AWS CLI is missing. Not to be used from several goroutines.
func Start(t testing.TB) *Account {
	t.Helper()
	a := &Account{aws: Program(t, "aws"), home: t.TempDir(), calls: map[string][]Call{}}
	cmd := exec.Command(Program(t, "moto_server"), "-H", "127.0.0.1", "-p", "0")
	cmd.Env = append(os.Environ(), "MOTO_ACCOUNT_ID="+ID, "PYTHONUNBUFFERED=1")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("start moto_server: %v", err)
	}
	var said bytes.Buffer
	address, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		// Read to the end: else moto would block once the pipe is full.
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := running.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
			if !strings.HasSuffix(lines.Text(), `" 200 -`) {
				said.WriteString(lines.Text() + "\n")
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("moto said:\n%s", said.String())
		}
	})
	select {
	case at := <-address:
		if a.moto, err = url.Parse(at); err != nil {
			t.Fatal(err)
		}
	case <-ended:
		t.Fatalf("moto_server ended: %s", said.String())
	case <-time.After(time.Minute):
		t.Fatal("moto_server did not come up within a minute")
	}
	door := httptest.NewServer(a.door())
	t.Cleanup(door.Close)
	a.URL = door.URL
	return a
}

// Env leads the CLI and any SDK to the account, with the root's key, and to nothing
// else that the machine has configured.
func (a *Account) Env() []string { return a.EnvFor(root) }

// EnvFor is [Account.Env] with another key.
func (a *Account) EnvFor(c Credentials) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + a.home, "GORACE=atexit_sleep_ms=20",
		"AWS_ENDPOINT_URL=" + a.URL, "NO_PROXY=127.0.0.1", "AWS_REGION=" + Region, "AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey, "AWS_SESSION_TOKEN=" + c.SessionToken,
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_PAGER=", "AWS_MAX_ATTEMPTS=1",
	}
}

// SDK leads the SDK to the account, whatever the process's environment says.
func (a *Account) SDK(c Credentials) []func(*config.LoadOptions) error {
	return []func(*config.LoadOptions) error{
		config.WithBaseEndpoint(a.URL), config.WithRegion(Region),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}),
	}
}
