package aws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/proerror77/nova-staging/internal/argotest"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/motoaccount"
	"github.com/proerror77/nova-staging/internal/triggertest"
	generate "github.com/proerror77/nova-staging/plugin/command"
	"github.com/proerror77/nova-staging/trigger/cluster"
	trigger "github.com/proerror77/nova-staging/trigger/command"
	"github.com/proerror77/nova-staging/trigger/metrics"
	"github.com/proerror77/nova-staging/trigger/push"
	"github.com/proerror77/nova-staging/trigger/queue"
)

// everything is what only the tests may do.
var everything = ecremulator.Must(motoaccount.ParsePolicy(`{"Effect": "Allow", "Action": "*", "Resource": "*"}`))

// visibility is trigger's shortest.
const visibility = 3 * time.Second

// client calls SQS.
func (s stack) client(t *testing.T, c motoaccount.Credentials) *sqs.Client {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(), s.SDK(c)...)
	if err != nil {
		t.Fatal(err)
	}
	return sqs.NewFromConfig(cfg)
}

// messages are how many queues hold, received or not.
func messages(t *testing.T, client *sqs.Client, urls ...string) int {
	t.Helper()
	n := 0
	for _, url := range urls {
		out, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll}})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
			held, err := strconv.Atoi(out.Attributes[key])
			if err != nil {
				t.Fatalf("%s of %s: %v", key, url, err)
			}
			n += held
		}
	}
	return n
}

// eventually waits for a condition, half a minute at most.
func eventually(t *testing.T, what string, said *triggertest.Log, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("not within half a minute: %s\n%s", what, said)
		}
	}
}

// addAccounts puts the account into the events of a queue: EventBridge does, moto
// leaves it out of what it hands to a target.
func addAccounts(t *testing.T, client *sqs.Client, url string) {
	t.Helper()
	var bodies []string
	for empty := false; !empty; {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		empty = len(out.Messages) == 0
		for _, m := range out.Messages {
			var event map[string]any
			if err := json.Unmarshal([]byte(*m.Body), &event); err != nil {
				t.Fatalf("%v in %s", err, *m.Body)
			}
			event["account"] = motoaccount.ID
			body, err := json.Marshal(event)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, string(body))
			if _, err := client.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, body := range bodies {
		if _, err := client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
}

// heard lets trigger's own reader empty the queue, and gives the tags of the pushes
// in it. What it reads and is no push fails the test.
func (s stack) heard(t *testing.T, url string) []string {
	t.Helper()
	registry := prometheus.NewRegistry()
	admin := s.Role(t, "admin", everything)
	client := s.client(t, admin)
	addAccounts(t, client, url)
	var said triggertest.Log
	// moto goes on with a receive whose caller is gone, and so takes what is sent next
	// out of sight for as long as this reader asked for.
	q, err := queue.New(t.Context(), queue.Options{
		URL: url, AWS: s.SDK(admin), Receivers: 1, Wait: time.Second, Visibility: visibility,
		Clock: &cluster.Clock{}, Metrics: metrics.New(registry), Log: slog.New(slog.NewTextHandler(&said, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var tags []string
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- q.Run(ctx, func(d push.Delivery) {
			mu.Lock()
			tags = append(tags, d.Push.Tag)
			mu.Unlock()
			d.Done()
		})
	}()
	eventually(t, "the queue is empty", &said, func() bool { return messages(t, client, url) == 0 })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "nova_trigger_events_ignored_total" && m.Counter.GetValue() > 0 {
				t.Errorf("the rule let through what is no push: %s", m)
			}
		}
	}
	return tags
}

// triggerRights lets trigger watch do all that it does on AWS: a push to hold, a
// message that makes no sense, and a repository to poll.
func (s stack) triggerRights(t *testing.T, url string) {
	p := s.managed(t, "nova-trigger")
	s.CLI(t, "ecr", "create-repository", "--repository-name", "nova/auth")
	admin := s.client(t, s.Role(t, "admin", everything))
	e := ecremulator.New()
	repository := ecremulator.Must(ecremulator.Must(e.CreateRegistry(motoaccount.ID, motoaccount.Region)).CreateRepository("nova/auth"))
	s.Rights(t, "trigger", p, func(t *testing.T, c motoaccount.Credentials) motoaccount.Run {
		queues := []string{url, url + "-dead-letters"}
		for _, queue := range queues {
			if _, err := admin.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: &queue}); err != nil {
				t.Fatal(err)
			}
		}
		for _, body := range []string{
			ecremulator.NewEvent(repository, "PUSH", "sha256:"+strings.Repeat("b", 64), "v1", time.Now()).JSON(), "no event",
		} {
			if _, err := admin.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body}); err != nil {
				t.Fatal(err)
			}
		}
		api := argotest.New()
		defer api.Close()
		api.Add(argotest.App{Name: "nova", AsOf: triggertest.Start, Images: []string{triggertest.Host + "nova/auth:old"}})
		kubeconfig, err := api.Kubeconfig(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		var log triggertest.Log
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() {
			// Held for longer than a third of the visibility, also when it is read late:
			// then it is extended.
			ended <- trigger.Run(ctx, trigger.Program{Args: []string{
				"watch", "--kubeconfig", kubeconfig, "--queue-url", url, "--queue-visibility", visibility.String(), "--settle", "4s",
				"--poll", "--poll-interval", "1s", "--listen", "127.0.0.1:0", "--leader-elect=false",
			}, Env: func(string) string { return "" }, AWS: s.SDK(c), Stdout: io.Discard, Stderr: &log})
		}()
		denied := func() bool { return strings.Contains(log.String(), "not authorized") }
		// missing is what trigger has not done yet.
		missing := func() (what []string) {
			for _, action := range p.Actions() {
				if !slices.ContainsFunc(s.Calls(c), func(call motoaccount.Call) bool { return call.Action == action }) {
					what = append(what, action)
				}
			}
			if api.AsOf("argocd", "nova") == triggertest.Start {
				what = append(what, "move as-of")
			}
			// A call that is refused is one too. The one that makes no sense stays.
			if messages(t, admin, queues...) > 1 {
				what = append(what, "delete the push's message")
			}
			return what
		}
		defer func() {
			if t.Failed() {
				t.Logf("trigger did not: %s", missing())
			}
		}()
		did := func() bool { return len(missing()) == 0 }
		eventually(t, "trigger has done it all, or was refused", &log, func() bool { return did() || denied() })
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("watch ended with %d", code)
		}
		return motoaccount.Run{OK: did() && !denied(), Said: log.String()}
	})
}

// managed is a policy of the account.
func (s stack) managed(t *testing.T, name string) motoaccount.Policy {
	t.Helper()
	var got struct {
		PolicyVersion struct{ Document motoaccount.Policy }
	}
	s.JSON(t, &got, "iam", "get-policy-version", "--policy-arn", "arn:aws:iam::"+motoaccount.ID+":policy/"+name, "--version-id", "v1")
	return got.PolicyVersion.Document
}

// generateRights renders one image with the template's role.
func (s stack) generateRights(t *testing.T) {
	const image = "nova/rendered"
	s.CLI(t, "ecr", "create-repository", "--repository-name", image)
	manifest := ecremulator.BuildxIndex("one", "linux/amd64")
	s.CLI(t, "ecr", "put-image", "--repository-name", image, "--image-tag", "v1.0.0", "--image-digest", manifest.Digest(),
		"--image-manifest", string(manifest.Manifest()), "--image-manifest-media-type", manifest.MediaType())
	dir := t.TempDir()
	name := triggertest.Host + image
	for file, text := range map[string]string{
		"kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [pod.yaml]\n",
		"pod.yaml":           "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: one, image: " + name + "}]}\n",
		"images.yaml":        "apiVersion: staging.nova/v1alpha1\nkind: ImagePolicy\nimages:\n- match: " + name + "\n  semver: {range: 1.x}\n",
	} {
		if err := os.WriteFile(dir+"/"+file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.Rights(t, "generate", s.managed(t, "nova-generate"), func(t *testing.T, c motoaccount.Credentials) motoaccount.Run {
		for _, v := range s.EnvFor(c) {
			if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
				t.Setenv(name, value)
			}
		}
		var stdout, stderr bytes.Buffer
		code := generate.Run(t.Context(), generate.Program{Args: []string{"--no-cache", dir}, Env: s.EnvFor(c), Stdout: &stdout, Stderr: &stderr})
		return motoaccount.Run{OK: code == 0 && strings.Contains(stdout.String(), ":v1.0.0@"+manifest.Digest()), Said: stderr.String()}
	})
}
