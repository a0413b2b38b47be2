package aws_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/e2e/pages"
	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/motoaccount"
)

// stack is what the template makes of an account.
type stack struct{ *motoaccount.Account }

// TestTheTemplateOnAnAccount deploys it with the AWS CLI, as the README says. moto's
// CloudFormation makes neither the queue's policy, nor the alarm, nor the
// associations of Pod Identity, and attaches no policies to roles: those were not
// looked at here, but for the documents.
func TestTheTemplateOnAnAccount(t *testing.T) {
	s := stack{motoaccount.Start(t)}
	command := s.deployCommand(t)
	shell, err := pages.NewShell(t.TempDir(), filepath.Join("..", ".."), append(s.Env(), "PATH="+s.Tools(t)+":"+os.Getenv("PATH"))...)
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, command string) {
		t.Helper()
		r, err := shell.Run(t.Context(), command)
		if err != nil || r.Status != 0 {
			t.Fatalf("%s: status %d, %v\n%s%s", command, r.Status, err, r.Stdout, r.Stderr)
		}
	}
	run(t, command)
	shared := []string{"DeadLetterQueue", "Queue", "Rule", "TriggerPolicy"}
	t.Run("as the README has it, it leaves the role that generate has alone", func(t *testing.T) {
		s.wantResources(t, append(shared, "TriggerRoleForPodIdentity"))
	})
	command = strings.Replace(command, " CreateGenerateRole=false", "", 1)
	run(t, "aws cloudformation delete-stack --stack-name nova-staging")
	s.Empty(t)
	run(t, command)
	shared = append(shared, "GeneratePolicy")
	t.Run("with a cluster it makes the roles of Pod Identity", func(t *testing.T) {
		s.wantResources(t, append(shared, "GenerateRoleForPodIdentity", "TriggerRoleForPodIdentity"))
		for _, role := range []string{"nova-trigger-pod-identity", "nova-generate-pod-identity"} {
			s.wantTrust(t, role, motoaccount.Statement{
				Effect: "Allow", Principal: map[string]any{"Service": "pods.eks.amazonaws.com"},
				Action:    []string{"sts:AssumeRole", "sts:TagSession"},
				Condition: map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": motoaccount.ID}},
			})
		}
	})
	t.Run("the queue keeps what can not be read", s.wantQueue)
	t.Run("a changed parameter changes the rule", func(t *testing.T) {
		for _, prefix := range []string{"shop/", "nova/"} {
			run(t, strings.TrimSpace(command)+" RepositoryPrefix="+prefix)
			var rule struct{ EventPattern string }
			s.JSON(t, &rule, "events", "describe-rule", "--name", "nova-trigger")
			if !strings.Contains(rule.EventPattern, fmt.Sprintf("%q", prefix)) {
				t.Errorf("the rule's pattern is %s, want the prefix %s", rule.EventPattern, prefix)
			}
		}
	})
	url := s.output(t, "ClusterName", "QueueUrl")
	if want := "https://sqs.ap-northeast-1.amazonaws.com/025434362120/nova-trigger"; url != want {
		t.Errorf("the output QueueUrl is %q, want %q", url, want)
	}
	t.Run("pushes come into the queue, and nothing else does", func(t *testing.T) { s.wantEvents(t, url) })
	t.Run("trigger reads them with its role", func(t *testing.T) { s.triggerRights(t, url) })
	t.Run("generate reads images with its role", s.generateRights)
	t.Run("it can be deleted", func(t *testing.T) {
		run(t, "aws cloudformation delete-stack --stack-name nova-staging")
		var left struct{ Roles []any }
		s.JSON(t, &left, "iam", "list-roles", "--query", "{Roles: Roles[?starts_with(RoleName, `nova-`)]}")
		if len(left.Roles) > 0 {
			t.Errorf("roles are left: %v", left.Roles)
		}
		s.Empty(t) // moto leaves the policies
	})
	t.Run("with an OIDC provider it makes the roles of IRSA", func(t *testing.T) {
		const provider = "oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE"
		irsa := strings.Replace(strings.TrimSpace(command), "ClusterName=staging", "OidcProvider="+provider, 1)
		run(t, irsa)
		s.wantResources(t, append(shared, "GenerateRoleForIRSA", "TriggerRoleForIRSA"))
		for role, account := range map[string]string{"nova-trigger": "nova-trigger", "nova-generate": "argocd-repo-server"} {
			s.wantTrust(t, role, motoaccount.Statement{
				Effect: "Allow", Principal: map[string]any{"Federated": "arn:aws:iam::" + motoaccount.ID + ":oidc-provider/" + provider},
				Action: []string{"sts:AssumeRoleWithWebIdentity"},
				Condition: map[string]any{"StringEquals": map[string]any{
					provider + ":aud": "sts.amazonaws.com", provider + ":sub": "system:serviceaccount:argocd:" + account,
				}},
			})
		}
		for output, role := range map[string]string{"TriggerRole": "nova-trigger", "GenerateRole": "nova-generate"} {
			if got, want := s.output(t, "OidcProvider", output), "arn:aws:iam::"+motoaccount.ID+":role/"+role; got != want {
				t.Errorf("the output %s is %q, want %q", output, got, want)
			}
		}
	})
}

// deployCommand is the README's.
func (s stack) deployCommand(t *testing.T) string {
	t.Helper()
	page, err := pages.Read(filepath.Join("..", ".."), "README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range page.Blocks {
		if command, _, ok := strings.Cut(b.Text, "kubectl apply"); ok && strings.HasPrefix(command, "aws cloudformation deploy ") {
			return command
		}
	}
	t.Fatal("the README does not deploy the template any more")
	return ""
}

func (s stack) wantResources(t *testing.T, want []string) {
	t.Helper()
	var stack struct {
		StackResourceSummaries []struct{ LogicalResourceID, ResourceType, ResourceStatus string }
	}
	s.JSON(t, &stack, "cloudformation", "list-stack-resources", "--stack-name", "nova-staging")
	var got []string
	for _, r := range stack.StackResourceSummaries {
		if r.LogicalResourceID != "" { // the others were not made, by a condition or by moto
			got = append(got, r.LogicalResourceID)
		}
	}
	want = slices.Sorted(slices.Values(want))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func (s stack) wantTrust(t *testing.T, role string, want motoaccount.Statement) {
	t.Helper()
	var got struct {
		Role struct{ AssumeRolePolicyDocument motoaccount.Policy }
	}
	s.JSON(t, &got, "iam", "get-role", "--role-name", role)
	if diff := cmp.Diff([]motoaccount.Statement{want}, got.Role.AssumeRolePolicyDocument.Statement); diff != "" {
		t.Errorf("trust of %s (-want +got):\n%s", role, diff)
	}
}

func (s stack) wantQueue(t *testing.T) {
	var queue struct{ Attributes map[string]string }
	s.JSON(t, &queue, "sqs", "get-queue-attributes", "--queue-url", s.URL+"/"+motoaccount.ID+"/nova-trigger", "--attribute-names", "All")
	var redrive struct {
		Target string `json:"deadLetterTargetArn"`
		Most   any    `json:"maxReceiveCount"`
	}
	if err := json.Unmarshal([]byte(queue.Attributes["RedrivePolicy"]), &redrive); err != nil {
		t.Fatalf("%v in %v", err, queue.Attributes)
	}
	got := map[string]string{"target": redrive.Target, "most": fmt.Sprint(redrive.Most)}
	for _, name := range []string{"VisibilityTimeout", "ReceiveMessageWaitTimeSeconds", "MessageRetentionPeriod"} {
		got[name] = queue.Attributes[name]
	}
	if diff := cmp.Diff(map[string]string{
		"target": "arn:aws:sqs:ap-northeast-1:025434362120:nova-trigger-dead-letters", "most": "20",
		"VisibilityTimeout": "30", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "345600",
	}, got); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

func (s stack) output(t *testing.T, parameter, key string) string {
	t.Helper()
	// After a change set, by which the CLI deploys, moto has no outputs; after this,
	// which changes nothing, it has.
	s.CLI(t, "cloudformation", "update-stack", "--stack-name", "nova-staging", "--use-previous-template",
		"--capabilities", "CAPABILITY_NAMED_IAM", "--parameters", "ParameterKey="+parameter+",UsePreviousValue=true")
	return strings.TrimSpace(s.CLI(t, "cloudformation", "describe-stacks", "--stack-name", "nova-staging",
		"--query", "Stacks[0].Outputs[?OutputKey=='"+key+"'].OutputValue", "--output", "text"))
}

// wantEvents sends ECR's events to EventBridge. AWS itself takes none from the source
// aws.ecr by this call, moto does.
func (s stack) wantEvents(t *testing.T, url string) {
	e := ecremulator.New()
	registry := ecremulator.Must(e.CreateRegistry(motoaccount.ID, motoaccount.Region))
	ours := ecremulator.Must(registry.CreateRepository("nova/auth-service"))
	others := ecremulator.Must(registry.CreateRepository("shop/auth-service"))
	digest := "sha256:" + strings.Repeat("a", 64)
	event := func(repository *ecremulator.Repository, action, tag string, change func(*ecremulator.Event)) ecremulator.Event {
		one := ecremulator.NewEvent(repository, action, digest, tag, time.Now())
		if change != nil {
			change(&one)
		}
		return one
	}
	sent := []ecremulator.Event{
		event(ours, "PUSH", "wanted", nil),
		event(others, "PUSH", "of-another-repository", nil),
		event(ours, "DELETE", "deleted", nil),
		event(ours, "PUSH", "failed", func(e *ecremulator.Event) { e.Detail.Result = "FAILURE" }),
		event(ours, "PUSH", "scanned", func(e *ecremulator.Event) { e.DetailType = "ECR Image Scan" }),
		event(ours, "PUSH", "from-elsewhere", func(e *ecremulator.Event) { e.Source = "nova.ecr" }),
		event(ours, "PUSH", "wanted-too", nil),
	}
	var entries []map[string]any
	for _, e := range sent {
		detail, err := json.Marshal(e.Detail)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, map[string]any{"Source": e.Source, "DetailType": e.DetailType, "Detail": string(detail), "Time": e.Time})
	}
	text, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	var put struct{ FailedEntryCount int }
	if s.JSON(t, &put, "events", "put-events", "--entries", string(text)); put.FailedEntryCount > 0 {
		t.Fatalf("%d events were refused", put.FailedEntryCount)
	}
	got := s.heard(t, url)
	if diff := cmp.Diff([]string{"wanted", "wanted-too"}, got); diff != "" {
		t.Errorf("pushes that trigger heard of (-want +got):\n%s", diff)
	}
}
