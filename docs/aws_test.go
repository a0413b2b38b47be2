package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	docpages "github.com/proerror77/nova-staging/e2e/pages"
	"github.com/proerror77/nova-staging/internal/motoaccount"
)

// Headings with commands for AWS.
const (
	install = "Install into your Argo CD"
	byHand  = "The AWS side by hand"
	rotate  = "Rotate roles and credentials"
	away    = "Uninstall, and leave Nova running"
)

// onAWS says of every block with a command for AWS whether the AWS CLI runs it here, in
// an account of moto's. What moto does not know, the CLI checks without a call.
var onAWS = []docpages.Decision{
	{Page: "README.md", Heading: install, Has: "aws ecr create-repository", Run: "README/1 repositories"},
	{Page: "README.md", Heading: install, Has: "aws cloudformation deploy", Not: "the tests of manifests/aws deploy the template with it"},
	{Page: "docs/first-image.md", Heading: "From nothing to the first verified deployment", Has: "get-caller-identity", Run: "first/1 variables"},
	{Page: "docs/first-image.md", Heading: "1. Images of the programs", Has: "ko login", Run: "first/2 images"},
	{Page: "docs/first-image.md", Heading: "2. The sidecar", Has: "aws iam create-role", Run: "first/3 role"},
	{Page: "docs/first-image.md", Heading: "4. The first push", Has: "docker buildx", Run: "first/4 push"},
	{Page: "docs/operations.md", Heading: rotate, Has: "list-pod-identity-associations", Run: "operations/1 list"},
	{Page: "docs/operations.md", Heading: rotate, Has: "update-pod-identity-association", Run: "operations/2 update"},
	{Page: "docs/operations.md", Heading: away, Has: "delete-stack", Not: "the tests of manifests/aws delete the stack with it"},
	{Page: "docs/pipeline.md", Heading: "Set up", Has: "aws ecr create-repository", Run: "pipeline/1 repository"},
	{Page: "docs/pipeline.md", Heading: "Set up", Has: "aws eks create-access-entry", Run: "pipeline/2 access"},
	{Page: "docs/trigger.md", Heading: byHand, Has: "aws sqs create-queue", Run: "trigger/1 by hand"},
}

const noRegistry = "moto is no registry"

var onAWSInstead = []docpages.Substitution{
	{Page: "README.md", Old: "make images", New: ": make images", Why: noRegistry},
	{Page: "docs/first-image.md", Old: "go tool -modfile=tools/e2e/go.mod ko login $REGISTRY --username AWS --password-stdin", New: "grep -q .", Why: noRegistry},
	{Page: "docs/first-image.md", Old: "make build images", New: ": make build images", Why: noRegistry},
	{Page: "docs/first-image.md", Old: "docker login --username AWS --password-stdin $REGISTRY", New: "grep -q .", Why: noRegistry},
	{Page: "docs/first-image.md", Old: "docker buildx build", New: ": docker buildx build", Why: noRegistry},
	{Page: "docs/first-image.md", Old: "GOARCH=amd64 go build", New: "GOARCH=amd64 : go build", Why: "there is nothing to put it into"},
	{Page: "docs/first-image.md", Old: "git -C $NOVA rev-parse", New: "git rev-parse", Why: "the reader's clone"},
	{Page: "docs/pipeline.md", Old: "kubectl apply", New: ": kubectl apply", Why: "there is no cluster"},
}

var awsCommand = regexp.MustCompile(`\baws (?:[a-z0-9]+ [a-z]+-[a-z-]+|cloudformation deploy)`)

// TestTheCommandsForAWS fails for a command that nobody has decided about, and for one
// that the AWS CLI or the account refuses.
func TestTheCommandsForAWS(t *testing.T) {
	t.Parallel()
	blocks := map[string]map[string]docpages.Block{} // by page and name
	for _, p := range all(t) {
		page, err := docpages.Parse(p.name, p.text)
		if err != nil {
			t.Fatal(err)
		}
		page.Blocks = slices.DeleteFunc(page.Blocks, func(b docpages.Block) bool { return !awsCommand.MatchString(b.Text) })
		n := 0
		for _, b := range page.Blocks {
			n += len(awsCommand.FindAllString(b.Text, -1))
		}
		if shown := len(awsCommand.FindAllString(p.text, -1)); shown != n {
			t.Errorf("%s shows %d commands for AWS, of which %d are in blocks or in backticks with their options", p.name, shown, n)
		}
		steps, err := docpages.Steps(page, nil, onAWS, onAWSInstead)
		if err != nil {
			t.Error(err)
		}
		if len(steps) > 0 {
			blocks[p.name] = steps
		}
	}
	if len(blocks) != 5 {
		t.Fatalf("%d pages have commands to run, want 5", len(blocks))
	}
	a := motoaccount.Start(t)
	tools := a.Tools(t)
	after := map[string]func(*testing.T, *motoaccount.Account){"docs/first-image.md": firstImage, "docs/pipeline.md": pipeline, "docs/trigger.md": byHandIsTheTemplate}
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		t.Run(name, func(t *testing.T) {
			a.Empty(t)
			shell, err := docpages.NewShell(t.TempDir(), filepath.Dir(pages), append(elsewhere(a.Env(), name), "PATH="+tools+":"+os.Getenv("PATH"), "HOME="+t.TempDir(), "TMPDIR="+t.TempDir())...)
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range slices.Sorted(maps.Keys(blocks[name])) {
				b := blocks[name][step]
				r, err := shell.Run(t.Context(), b.Text)
				if err != nil || r.Status != 0 {
					t.Fatalf("%s:%d: status %d, %v\n%s%s\n%s", name, b.Line, r.Status, err, b.Text, r.Stdout, r.Stderr)
				}
			}
			if look := after[name]; look != nil {
				look(t, a)
			}
		})
	}
}

// elsewhere is another region by default, as a reader's CLI may have one, for pages
// that name theirs.
func elsewhere(env []string, page string) []string {
	if !slices.Contains([]string{"docs/first-image.md", "docs/trigger.md"}, page) {
		return env
	}
	return append(env, "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1")
}

// rolePolicy is what a role was given.
func rolePolicy(t *testing.T, a *motoaccount.Account, role, policy string) motoaccount.Policy {
	t.Helper()
	var got struct{ PolicyDocument motoaccount.Policy }
	a.JSON(t, &got, "iam", "get-role-policy", "--role-name", role, "--policy-name", policy)
	return got.PolicyDocument
}

// firstImage compares what the page has made with the README, whose role
// cmd/generate's tests hold to what generate needs.
func firstImage(t *testing.T, a *motoaccount.Account) {
	page, err := docpages.Read(filepath.Dir(pages), "README.md")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(page.Blocks, func(b docpages.Block) bool { return b.Kind == "json" && strings.Contains(b.Text, "ecr:BatchGetImage") })
	if i < 0 {
		t.Fatal("the README shows no role")
	}
	want, err := motoaccount.ParsePolicy(page.Blocks[i].Text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rolePolicy(t, a, "nova-staging-generate", "ecr")); diff != "" {
		t.Errorf("the role's policy (-README +page):\n%s", diff)
	}
	var got struct{ Names []string }
	a.JSON(t, &got, "ecr", "describe-repositories", "--query", "{Names: repositories[].repositoryName}")
	if len(got.Names) != 11 {
		t.Errorf("repositories are %s, want those of eight services and three programs", got.Names)
	}
	wantServices(t, a, 8)
}

// pipeline has made one repository.
func pipeline(t *testing.T, a *motoaccount.Account) { wantServices(t, a, 1) }

// wantServices looks at the repositories of n services: commit tags do not move, and
// ECR scans what is pushed.
func wantServices(t *testing.T, a *motoaccount.Account, n int) {
	t.Helper()
	type repository struct {
		Mutability string
		Moves      []string
		Scans      bool
	}
	var got []repository
	a.JSON(t, &got, "ecr", "describe-repositories", "--query", "repositories[?ends_with(repositoryName, `-service`)].{"+
		"Mutability: imageTagMutability, Moves: imageTagMutabilityExclusionFilters[].filter, Scans: imageScanningConfiguration.scanOnPush}")
	want := slices.Repeat([]repository{{"IMMUTABLE_WITH_EXCLUSION", []string{"latest", "buildcache"}, true}}, n)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("repositories of services (-want +got):\n%s", diff)
	}
}

// byHandIsTheTemplate compares what the page makes by hand with the template's, whose
// role the tests of manifests/aws hold to what trigger needs.
func byHandIsTheTemplate(t *testing.T, a *motoaccount.Account) {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(pages), "manifests", "aws", "trigger.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, template, _ := strings.Cut(string(text), "\n  TriggerPolicy:\n")
	template, _, _ = strings.Cut(template, "\n  GeneratePolicy:\n")
	want := regexp.MustCompile(`(?:sqs|ecr):[A-Z][A-Za-z]+`).FindAllString(template, -1)
	slices.Sort(want)
	p := rolePolicy(t, a, "nova-trigger", "nova-trigger")
	if diff := cmp.Diff(want, p.Actions()); diff != "" {
		t.Errorf("what trigger may do (-template +page):\n%s", diff)
	}
	for _, c := range []motoaccount.Call{
		{Action: "sqs:ReceiveMessage", Resource: "arn:aws:sqs:ap-northeast-1:025434362120:nova-trigger"},
		{Action: "ecr:DescribeImages", Resource: "arn:aws:ecr:ap-northeast-1:025434362120:repository/nova/auth-service"},
	} {
		if !p.Allows(c) {
			t.Errorf("trigger may not %s on %s", c.Action, c.Resource)
		}
	}
	// A push goes through the rule into the queue, a deletion does not.
	entries, err := json.Marshal([]map[string]string{
		{"Source": "aws.ecr", "DetailType": "ECR Image Action", "Detail": `{"action-type":"PUSH","result":"SUCCESS","repository-name":"nova/auth-service"}`},
		{"Source": "aws.ecr", "DetailType": "ECR Image Action", "Detail": `{"action-type":"DELETE","result":"SUCCESS","repository-name":"nova/auth-service"}`},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.CLI(t, "events", "put-events", "--entries", string(entries))
	var queue struct{ Attributes map[string]string }
	a.JSON(t, &queue, "sqs", "get-queue-attributes", "--queue-url", a.URL+"/"+motoaccount.ID+"/nova-trigger", "--attribute-names", "All")
	for name, want := range map[string]string{
		"ApproximateNumberOfMessages": "1", "VisibilityTimeout": "30", "ReceiveMessageWaitTimeSeconds": "20", "MessageRetentionPeriod": "345600",
	} {
		if got := queue.Attributes[name]; got != want {
			t.Errorf("the queue's %s is %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"nova-trigger", "nova-trigger-dead-letters"} {
		var queue struct{ Attributes map[string]string }
		a.JSON(t, &queue, "sqs", "get-queue-attributes", "--queue-url", a.URL+"/"+motoaccount.ID+"/"+name, "--attribute-names", "All")
		policy, err := motoaccount.ParsePolicy(queue.Attributes["Policy"])
		if err != nil {
			t.Fatal(err)
		}
		if s := policy.Statement[0]; s.Action[0] != "sqs:SendMessage" || s.Resource[0] != "arn:aws:sqs:ap-northeast-1:025434362120:"+name || !strings.Contains(queue.Attributes["Policy"], "rule/nova-trigger") {
			t.Errorf("the policy of %s is %s", name, queue.Attributes["Policy"])
		}
	}
	var targets struct {
		Targets []struct {
			ARN              string
			DeadLetterConfig struct{ ARN string }
		}
	}
	a.JSON(t, &targets, "events", "list-targets-by-rule", "--rule", "nova-trigger")
	if len(targets.Targets) != 1 || targets.Targets[0].DeadLetterConfig.ARN != "arn:aws:sqs:ap-northeast-1:025434362120:nova-trigger-dead-letters" {
		t.Errorf("what can not be delivered is not kept: %+v", targets)
	}
	if !strings.Contains(queue.Attributes["RedrivePolicy"], "nova-trigger-dead-letters") {
		t.Errorf("the queue's dead letters go to %s", queue.Attributes["RedrivePolicy"])
	}
}

// TestEveryActionNamedIsOne finds a misspelt action, which IAM takes and never
// matches: those of ECR and SQS are named like the calls.
func TestEveryActionNamedIsOne(t *testing.T) {
	t.Parallel()
	apis := map[string]reflect.Type{"ecr": reflect.TypeFor[*ecr.Client](), "sqs": reflect.TypeFor[*sqs.Client]()}
	n := 0
	for _, p := range all(t) {
		for _, m := range regexp.MustCompile(`\b(ecr|sqs):([A-Z][A-Za-z]+)`).FindAllStringSubmatch(p.text, -1) {
			n++
			if _, ok := apis[m[1]].MethodByName(m[2]); !ok {
				t.Errorf("%s names the action %s, which does not exist", p.name, m[0])
			}
		}
	}
	if n < 20 {
		t.Errorf("%d actions were seen: is the test still finding them?", n)
	}
}
