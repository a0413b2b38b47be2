package aws_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/trigger/push"
)

func template(t *testing.T) (map[string]any, string) {
	t.Helper()
	data, err := os.ReadFile("trigger.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := yaml.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all, string(data)
}

// CloudFormation finds a reference to nothing only when it deploys.
func TestEveryReferenceOfTheTemplateExists(t *testing.T) {
	t.Parallel()
	all, text := template(t)
	known := map[string]bool{}
	for _, section := range []string{"Parameters", "Resources"} {
		for name := range all[section].(map[string]any) {
			known[name] = true
		}
	}
	for _, m := range regexp.MustCompile(`!(?:Ref|GetAtt) ([A-Za-z:]+)|\$\{([A-Za-z:]+)\}`).FindAllStringSubmatch(text, -1) {
		name := m[1] + m[2]
		if !known[name] && !strings.HasPrefix(name, "AWS::") {
			t.Errorf("%s is neither a parameter nor a resource", name)
		}
	}
	conditions := all["Conditions"].(map[string]any)
	for name, r := range all["Resources"].(map[string]any) {
		if c, ok := r.(map[string]any)["Condition"]; ok && conditions[fmt.Sprint(c)] == nil {
			t.Errorf("%s has condition %v, which does not exist", name, c)
		}
	}
	for _, m := range regexp.MustCompile(`(?s)Fn::Sub: \|\n(.*?)\n\n`).FindAllStringSubmatch(text, -1) {
		if !json.Valid([]byte(m[1])) {
			t.Errorf("not JSON: %s", m[1])
		}
	}
}

// The rule must let every push through that trigger takes for one.
func TestTheRuleMatchesTheEventsThatTriggerReads(t *testing.T) {
	t.Parallel()
	all, _ := template(t)
	rule := all["Resources"].(map[string]any)["Rule"].(map[string]any)["Properties"].(map[string]any)["EventPattern"].(map[string]any)
	e := ecremulator.New()
	registry := ecremulator.Must(e.CreateRegistry("025434362120", "ap-northeast-1"))
	repository := ecremulator.Must(registry.CreateRepository("nova/auth-service"))
	text := ecremulator.NewEvent(repository, "PUSH", "sha256:"+strings.Repeat("a", 64), "v1", e.Now()).JSON()
	if _, err := push.ParseEvent([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal([]byte(text), &event); err != nil {
		t.Fatal(err)
	}
	detail := rule["detail"].(map[string]any)
	for _, f := range []struct {
		got, allowed any
	}{
		{event["source"], rule["source"]},
		{event["detail-type"], rule["detail-type"]},
		{event["detail"].(map[string]any)["action-type"], detail["action-type"]},
		{event["detail"].(map[string]any)["result"], detail["result"]},
	} {
		if fmt.Sprint([]any{f.got}) != fmt.Sprint(f.allowed) {
			t.Errorf("the rule allows %v, the event has %v", f.allowed, f.got)
		}
	}
}
