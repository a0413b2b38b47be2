package aws_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/internal/motoaccount"
)

// TestTheTemplateFitsAWSsSchemas asks cfn-lint, which has the schemas of CloudFormation's
// resources, also of those that moto does not make.
func TestTheTemplateFitsAWSsSchemas(t *testing.T) {
	t.Parallel()
	lint := motoaccount.Program(t, "cfn-lint")
	if out, err := exec.CommandContext(t.Context(), lint, "trigger.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// It looks at each of these: a misspelt property is found.
	text, err := os.ReadFile("trigger.yaml")
	if err != nil {
		t.Fatal(err)
	}
	bad := string(text)
	properties := map[string]string{"AWS::SQS::QueuePolicy": "Queues: [", "AWS::CloudWatch::Alarm": "TreatMissingData:", "AWS::EKS::PodIdentityAssociation": "ServiceAccount: !Ref"}
	for _, property := range properties {
		if !strings.Contains(bad, "      "+property) {
			t.Fatalf("the template has no %s any more", property)
		}
		bad = strings.ReplaceAll(bad, "      "+property, "      Mis"+property)
	}
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), lint, file).CombinedOutput()
	for kind, property := range properties {
		name, _, _ := strings.Cut(property, ":")
		if err == nil || !strings.Contains(string(out), "'Mis"+name+"'") {
			t.Errorf("a misspelt %s of %s is not found: %v\n%s", name, kind, err, out)
		}
	}
}
