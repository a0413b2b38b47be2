package admission_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

// TestThePolicyIsEnforced: a policy that is right and only warns, or gives way when it
// can not be evaluated, limits nobody.
func TestThePolicyIsEnforced(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p admissionv1.ValidatingAdmissionPolicy
	var b admissionv1.ValidatingAdmissionPolicyBinding
	first, second, _ := strings.Cut(string(data), "\n---\n")
	if err := yaml.UnmarshalStrict([]byte(first), &p); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict([]byte(second), &b); err != nil {
		t.Fatal(err)
	}
	if p.Spec.FailurePolicy == nil || *p.Spec.FailurePolicy != admissionv1.Fail {
		t.Errorf("failurePolicy %v, want Fail", p.Spec.FailurePolicy)
	}
	for _, o := range []admissionv1.OperationType{admissionv1.Create, admissionv1.Update, admissionv1.Delete} {
		if !slices.Contains(p.Spec.MatchConstraints.ResourceRules[0].Operations, o) {
			t.Errorf("it says nothing of %s", o)
		}
	}
	if !slices.Contains(b.Spec.ValidationActions, admissionv1.Deny) || b.Spec.PolicyName != p.Name {
		t.Errorf("the binding %v of %s does not deny by %s", b.Spec.ValidationActions, b.Spec.PolicyName, p.Name)
	}
}
