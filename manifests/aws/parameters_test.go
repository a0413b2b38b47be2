package aws_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// values evaluates the template's functions, as CloudFormation does, for parameters.
type values struct {
	t          *testing.T
	parameters map[string]string
	conditions map[string]yaml.Node
}

func (v values) holds(n yaml.Node) bool {
	v.t.Helper()
	if n.Kind == yaml.MappingNode && n.Content[0].Value == "Condition" {
		return v.named(n.Content[1].Value)
	}
	switch n.Tag {
	case "!Equals":
		return v.text(*n.Content[0]) == v.text(*n.Content[1])
	case "!Not":
		return !v.holds(*n.Content[0])
	case "!And":
		return !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !v.holds(*c) })
	}
	v.t.Fatalf("line %d: the test does not know %s as a condition", n.Line, n.Tag)
	return false
}

func (v values) named(condition string) bool {
	v.t.Helper()
	c, ok := v.conditions[condition]
	if !ok {
		v.t.Fatalf("there is no condition %s", condition)
	}
	return v.holds(c)
}

// text is the value of a scalar; that of AWS::NoValue is empty.
func (v values) text(n yaml.Node) string {
	v.t.Helper()
	if n.Tag != "!Ref" {
		return n.Value
	}
	value, ok := v.parameters[n.Value]
	if !ok && n.Value != "AWS::NoValue" {
		v.t.Fatalf("line %d: there is no parameter %s", n.Line, n.Value)
	}
	return value
}

// list is the value of a property that is a list of texts, or is left away.
func (v values) list(n yaml.Node) []string {
	v.t.Helper()
	if n.Tag == "!If" {
		i := 2
		if v.named(n.Content[0].Value) {
			i = 1
		}
		return v.list(*n.Content[i])
	}
	if n.Kind == yaml.ScalarNode {
		if n.Value != "AWS::NoValue" {
			v.t.Fatalf("line %d: %s is no list", n.Line, n.Value)
		}
		return nil
	}
	var list []string
	for _, c := range n.Content {
		list = append(list, v.text(*c))
	}
	return list
}

// TestWhatTheParametersMake looks at each resource that a parameter can leave away,
// also at those that moto does not make.
func TestWhatTheParametersMake(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("trigger.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type conditional struct {
		Condition  string `yaml:"Condition"`
		Properties struct {
			AlarmActions yaml.Node `yaml:"AlarmActions"`
			OKActions    yaml.Node `yaml:"OKActions"`
		} `yaml:"Properties"`
	}
	var template struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
		Conditions map[string]yaml.Node   `yaml:"Conditions"`
		Resources  map[string]conditional `yaml:"Resources"`
		Outputs    map[string]conditional `yaml:"Outputs"`
	}
	if err := yaml.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}
	const topic = "arn:aws:sns:ap-northeast-1:025434362120:oncall"
	podIdentity := []string{"TriggerAssociation", "TriggerRoleForPodIdentity"}
	tests := []struct {
		name       string
		parameters string
		generate   []string // what there is for generate, outputs included
		trigger    []string // what there is for trigger by condition
		tells      []string
	}{
		{"nothing: the policies only", "", []string{"GeneratePolicy"}, nil, nil},
		{"a cluster", "ClusterName=staging", []string{"GenerateAssociation", "GeneratePolicy", "GenerateRoleForPodIdentity"}, podIdentity, nil},
		{"a cluster where generate has its role", "ClusterName=staging CreateGenerateRole=false", nil, podIdentity, nil},
		{"an OIDC provider", "OidcProvider=oidc.example/id/A", []string{"GeneratePolicy", "GenerateRole", "GenerateRoleForIRSA"}, []string{"TriggerRole", "TriggerRoleForIRSA"}, nil},
		{"an OIDC provider where generate has its role", "OidcProvider=oidc.example/id/A CreateGenerateRole=false", nil, []string{"TriggerRole", "TriggerRoleForIRSA"}, nil},
		{"a topic", "AlarmTopicArn=" + topic, []string{"GeneratePolicy"}, nil, []string{topic}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := values{t, map[string]string{}, template.Conditions}
			for name, p := range template.Parameters {
				v.parameters[name] = p.Default
			}
			for _, p := range strings.Fields(tt.parameters) {
				name, value, _ := strings.Cut(p, "=")
				if _, ok := v.parameters[name]; !ok {
					t.Fatalf("the template has no parameter %s", name)
				}
				v.parameters[name] = value
			}
			var generate, trigger []string
			for _, section := range []map[string]conditional{template.Resources, template.Outputs} {
				for _, name := range slices.Sorted(maps.Keys(section)) {
					c := section[name].Condition
					made := c == "" || v.named(c)
					if made && strings.HasPrefix(name, "Generate") {
						generate = append(generate, name)
					}
					if made && c != "" && strings.HasPrefix(name, "Trigger") {
						trigger = append(trigger, name)
					}
				}
			}
			slices.Sort(generate)
			slices.Sort(trigger)
			if diff := cmp.Diff(tt.generate, generate); diff != "" {
				t.Errorf("for generate (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.trigger, trigger); diff != "" {
				t.Errorf("for trigger (-want +got):\n%s", diff)
			}
			alarm := template.Resources["DeadLettersAlarm"].Properties
			for _, actions := range []yaml.Node{alarm.AlarmActions, alarm.OKActions} {
				if diff := cmp.Diff(tt.tells, v.list(actions)); diff != "" {
					t.Errorf("whom the alarm tells (-want +got):\n%s", diff)
				}
			}
		})
	}
}
