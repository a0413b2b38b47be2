package admission_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/cel-go/cel"
	"sigs.k8s.io/yaml"
)

type policy struct {
	Kind string
	Spec struct {
		MatchConditions, Variables []struct{ Name, Expression string }
		Validations                []struct{ Expression, Message string }
	}
}

func load(t *testing.T) policy {
	t.Helper()
	data, err := os.ReadFile("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for doc := range bytes.SplitSeq(data, []byte("\n---\n")) {
		var p policy
		if err := yaml.Unmarshal(doc, &p); err != nil {
			t.Fatal(err)
		}
		if p.Kind == "ValidatingAdmissionPolicy" {
			return p
		}
	}
	t.Fatal("policy.yaml has no ValidatingAdmissionPolicy")
	return policy{}
}

// evaluate runs an expression as an API server does; an error refuses.
func evaluate(t *testing.T, expression string, in map[string]any) any {
	t.Helper()
	env, err := cel.NewEnv(
		cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true), cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(),
		cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType), cel.Variable("request", cel.DynType),
		cel.Variable("variables", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		t.Fatal(err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		t.Fatalf("%s: %v", expression, issues.Err())
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := program.Eval(in)
	if err != nil {
		return err
	}
	return out
}

func TestThePolicyIsAboutTriggerAndCIAndNobodyElse(t *testing.T) {
	p := load(t)
	if len(p.Spec.MatchConditions) != 1 {
		t.Fatalf("%d match conditions, want 1", len(p.Spec.MatchConditions))
	}
	for name, c := range map[string]struct {
		user map[string]any
		want bool
	}{
		"trigger":                        {map[string]any{"username": "system:serviceaccount:argocd:nova-trigger", "groups": []any{"system:authenticated"}}, true},
		"trigger in another namespace":   {map[string]any{"username": "system:serviceaccount:cd:nova-trigger"}, true},
		"CI":                             {map[string]any{"username": "arn:aws:sts::1:assumed-role/ci/x", "groups": []any{"nova-staging-ci", "system:authenticated"}}, true},
		"Argo CD's controller":           {map[string]any{"username": "system:serviceaccount:argocd:argocd-application-controller", "groups": []any{"system:serviceaccounts"}}, false},
		"a person":                       {map[string]any{"username": "ann", "groups": []any{"nova-staging-ci-admins"}}, false},
		"a person who is called like it": {map[string]any{"username": "nova-trigger"}, false},
		"somebody in no group":           {map[string]any{"username": "ann"}, false},
	} {
		got := evaluate(t, p.Spec.MatchConditions[0].Expression, map[string]any{"request": map[string]any{"userInfo": c.user}})
		if v, ok := got.(interface{ Value() any }); !ok || v.Value() != c.want {
			t.Errorf("%s: %v, want %t", name, got, c.want)
		}
	}
}

// refusals are the messages of the validations that refuse a change.
func refusals(t *testing.T, p policy, operation string, before, after map[string]any) []string {
	t.Helper()
	in := map[string]any{
		"object": any(after), "oldObject": any(before), "variables": map[string]any{},
		"request": map[string]any{"operation": operation, "userInfo": map[string]any{"username": "system:serviceaccount:argocd:nova-trigger"}},
	}
	if after == nil {
		in["object"] = nil
	}
	if before == nil {
		in["oldObject"] = nil
	}
	for _, v := range p.Spec.Variables {
		if value := evaluate(t, v.Expression, in); value != nil {
			if _, failed := value.(error); !failed {
				in["variables"].(map[string]any)[v.Name] = value
			}
		}
	}
	var refused []string
	for _, v := range p.Spec.Validations {
		value := evaluate(t, v.Expression, in)
		if r, ok := value.(interface{ Value() any }); !ok || r.Value() != true {
			refused = append(refused, v.Message)
		}
	}
	return refused
}

const application = `{
 "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
 "metadata": {"name": "nova", "namespace": "argocd", "uid": "1", "resourceVersion": "5", "generation": 3, "labels": {"a": "b"},
  "finalizers": ["resources-finalizer.argocd.argoproj.io"], "annotations": {"note": "x", "trigger.staging.nova/hold": "y"}, "managedFields": [{"manager": "a"}]},
 "spec": {"project": "default", "destination": {"namespace": "nova", "server": "s"}, "syncPolicy": {"automated": {"prune": true}},
  "source": {"repoURL": "r", "path": "p", "targetRevision": "main", "plugin": {"name": "nova-generate", "env": [{"name": "A", "value": "b"}],
   "parameters": [{"name": "other", "string": "x"}, {"name": "as-of", "string": "2026-11-20T12:00:00Z"}]}}},
 "status": {"sync": {"status": "Synced"}}}`

const multi = `{
 "metadata": {"name": "nova"},
 "spec": {"project": "default", "sources": [{"repoURL": "v", "ref": "values"}, {"repoURL": "r", "plugin": {"parameters": [{"name": "as-of", "string": "2026-11-20T12:00:00Z"}]}}]}}`

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&o); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return o
}

// at gives the map at a path of keys and indexes.
func at(o any, path ...any) map[string]any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			o = o.(map[string]any)[step]
		case int:
			o = o.([]any)[step]
		}
	}
	return o.(map[string]any)
}

func TestThePolicyLetsTriggerChangeNothingButTheInstant(t *testing.T) {
	t.Parallel()
	p := load(t)
	parameters := func(o map[string]any) []any { return at(o, "spec", "source", "plugin")["parameters"].([]any) }
	tests := []struct {
		name    string
		base    string
		change  func(o map[string]any)
		allowed bool
	}{
		{"nothing", application, func(map[string]any) {}, true},
		{"as-of", application, func(o map[string]any) { at(parameters(o)[1])["string"] = "2026-11-21T12:00:00Z" }, true},
		{"as-of with fractions and an offset", application, func(o map[string]any) { at(parameters(o)[1])["string"] = "2026-11-21T12:00:00.5+09:00" }, true},
		{"as-of of a multi-source Application", multi, func(o map[string]any) {
			at(o, "spec", "sources", 1, "plugin", "parameters", 0)["string"] = "2026-11-21T12:00:00Z"
		}, true},
		{"its own annotations", application, func(o map[string]any) {
			a := at(o, "metadata", "annotations")
			a["trigger.staging.nova/record"] = "{}"
			delete(a, "trigger.staging.nova/hold")
		}, true},
		{"its first annotation", multi, func(o map[string]any) {
			at(o, "metadata")["annotations"] = map[string]any{"trigger.staging.nova/record": "{}"}
		}, true},
		{"what the API server itself changes", application, func(o map[string]any) {
			m := at(o, "metadata")
			m["resourceVersion"], m["generation"], m["managedFields"] = "6", 4.0, []any{}
		}, true},

		{"as-of to something else than an instant", application, func(o map[string]any) { at(parameters(o)[1])["string"] = "$(rm -rf)" }, false},
		{"as-of to no string", application, func(o map[string]any) { delete(at(parameters(o)[1]), "string") }, false},
		{"as-of to a list", application, func(o map[string]any) { at(parameters(o)[1])["array"] = []any{"x"} }, false},
		{"the name of the parameter", application, func(o map[string]any) { at(parameters(o)[1])["name"] = "another" }, false},
		{"another parameter", application, func(o map[string]any) { at(parameters(o)[0])["string"] = "y" }, false},
		{"another parameter renamed to as-of", application, func(o map[string]any) { at(parameters(o)[0])["name"] = "as-of" }, false},
		{"one parameter more", application, func(o map[string]any) {
			at(o, "spec", "source", "plugin")["parameters"] = append(parameters(o), map[string]any{"name": "z", "string": "z"})
		}, false},
		{"one parameter less", application, func(o map[string]any) { at(o, "spec", "source", "plugin")["parameters"] = parameters(o)[1:] }, false},
		{"no parameters", application, func(o map[string]any) { delete(at(o, "spec", "source", "plugin"), "parameters") }, false},
		{"the plugin's name", application, func(o map[string]any) { at(o, "spec", "source", "plugin")["name"] = "evil" }, false},
		{"the plugin's environment", application, func(o map[string]any) {
			at(o, "spec", "source", "plugin")["env"] = []any{map[string]any{"name": "A", "value": "c"}}
		}, false},
		{"no plugin", application, func(o map[string]any) { delete(at(o, "spec", "source"), "plugin") }, false},
		{"the repository", application, func(o map[string]any) { at(o, "spec", "source")["repoURL"] = "evil" }, false},
		{"kustomize beside the plugin", application, func(o map[string]any) { at(o, "spec", "source")["kustomize"] = map[string]any{} }, false},
		{"the path removed", application, func(o map[string]any) { delete(at(o, "spec", "source"), "path") }, false},
		{"another source of several", multi, func(o map[string]any) { at(o, "spec", "sources", 0)["repoURL"] = "evil" }, false},
		{"one source more", multi, func(o map[string]any) {
			at(o, "spec")["sources"] = append(at(o, "spec")["sources"].([]any), map[string]any{"repoURL": "evil"})
		}, false},
		{"a source instead of sources", multi, func(o map[string]any) {
			s := at(o, "spec")
			s["source"] = s["sources"].([]any)[1]
			s["sources"] = s["sources"].([]any)[:1]
		}, false},
		{"the project", application, func(o map[string]any) { at(o, "spec")["project"] = "evil" }, false},
		{"the destination", application, func(o map[string]any) { at(o, "spec", "destination")["namespace"] = "kube-system" }, false},
		{"the sync policy", application, func(o map[string]any) { delete(at(o, "spec"), "syncPolicy") }, false},
		{"a new field of spec", application, func(o map[string]any) { at(o, "spec")["ignoreDifferences"] = []any{} }, false},
		{"an operation", application, func(o map[string]any) { o["operation"] = map[string]any{"sync": map[string]any{}} }, false},
		{"the status", application, func(o map[string]any) { at(o, "status", "sync")["status"] = "OutOfSync" }, false},
		{"no status", application, func(o map[string]any) { delete(o, "status") }, false},
		{"a label", application, func(o map[string]any) { at(o, "metadata", "labels")["a"] = "c" }, false},
		{"no labels", application, func(o map[string]any) { delete(at(o, "metadata"), "labels") }, false},
		{"finalizers", application, func(o map[string]any) { at(o, "metadata")["finalizers"] = []any{} }, false},
		{"an owner", application, func(o map[string]any) { at(o, "metadata")["ownerReferences"] = []any{map[string]any{"name": "x"}} }, false},
		{"somebody else's annotation", application, func(o map[string]any) { at(o, "metadata", "annotations")["note"] = "z" }, false},
		{"somebody else's annotation removed", application, func(o map[string]any) { delete(at(o, "metadata", "annotations"), "note") }, false},
		{"all annotations removed", application, func(o map[string]any) { delete(at(o, "metadata"), "annotations") }, false},
		{"a refresh", application, func(o map[string]any) { at(o, "metadata", "annotations")["argocd.argoproj.io/refresh"] = "hard" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before, after := object(t, tt.base), object(t, tt.base)
			tt.change(after)
			refused := refusals(t, p, "UPDATE", before, after)
			if (len(refused) == 0) != tt.allowed {
				t.Errorf("allowed: %t, want %t; refused by %q", len(refused) == 0, tt.allowed, refused)
			}
		})
	}
	t.Run("creating", func(t *testing.T) {
		if len(refusals(t, p, "CREATE", nil, object(t, application))) == 0 {
			t.Error("allowed")
		}
	})
	t.Run("deleting", func(t *testing.T) {
		if len(refusals(t, p, "DELETE", object(t, application), nil)) == 0 {
			t.Error("allowed")
		}
	})
}

func TestThePolicyConcernsTriggerAlone(t *testing.T) {
	t.Parallel()
	p := load(t)
	for user, want := range map[string]bool{
		"system:serviceaccount:argocd:nova-trigger":                  true,
		"system:serviceaccount:elsewhere:nova-trigger":               true,
		"system:serviceaccount:argocd:argocd-application-controller": false,
		"kubernetes-admin": false, "evil:nova-trigger": false,
	} {
		out := evaluate(t, p.Spec.MatchConditions[0].Expression, map[string]any{
			"object": nil, "oldObject": nil, "variables": map[string]any{}, "request": map[string]any{"userInfo": map[string]any{"username": user}},
		})
		if r, ok := out.(interface{ Value() any }); !ok || r.Value() != want {
			t.Errorf("%s: %v, want %t", user, out, want)
		}
	}
}
