// Package access asks the API server, before anything else, whether it will
// show what a run has to see. A list that was refused must never look like a
// list that was empty.
package access

import (
	"fmt"
	"slices"
	"strings"

	authv1 "k8s.io/api/authorization/v1"
)

// Right is one verb on one kind of object in the namespace.
type Right struct {
	Verb     string
	Group    string
	Resource string // with its subresource, "pods/log"
	// Name limits the right to one object. Optional.
	Name string
	// Optional rights make reports better; a run does without.
	Optional bool
}

// String is "list deployments.apps".
func (r Right) String() string {
	s := r.Verb + " " + r.Resource
	if r.Group != "" {
		s += "." + r.Group
	}
	if r.Name != "" {
		s += " " + r.Name
	}
	return s
}

// Need says what a run does.
type Need struct {
	// Workloads, Routes and ConfigMap as in cluster.Wanted.
	Workloads bool
	Routes    bool
	ConfigMap string
	// Reach are the rights of the way to the Pods, "create pods/portforward".
	Reach []string
	// Events says that Events are to be written.
	Events bool
}

// Rights that n takes.
func (n Need) Rights() []Right {
	var out []Right
	watch := func(group, resource, name string) {
		for _, verb := range []string{"list", "watch"} {
			out = append(out, Right{Verb: verb, Group: group, Resource: resource, Name: name})
		}
	}
	if n.Workloads {
		watch("apps", "deployments", "")
		watch("apps", "replicasets", "")
		watch("", "pods", "")
		out = append(out, Right{Verb: "get", Resource: "pods/log", Optional: true})
	}
	if n.Routes {
		watch("", "services", "")
		watch("discovery.k8s.io", "endpointslices", "")
	}
	if n.ConfigMap != "" {
		watch("", "configmaps", n.ConfigMap)
	}
	for _, r := range n.Reach {
		verb, resource, _ := strings.Cut(r, " ")
		out = append(out, Right{Verb: verb, Resource: resource})
	}
	if n.Events {
		out = append(out, Right{Verb: "create", Resource: "events", Optional: true})
	}
	return out
}

// covers says whether a rule grants the right.
func covers(rule authv1.ResourceRule, r Right) bool {
	has := func(list []string, want string) bool {
		return slices.Contains(list, want) || slices.Contains(list, "*")
	}
	resource := has(rule.Resources, r.Resource)
	if _, sub, ok := strings.Cut(r.Resource, "/"); ok {
		resource = resource || slices.Contains(rule.Resources, "*/"+sub)
	}
	return has(rule.Verbs, r.Verb) && has(rule.APIGroups, r.Group) && resource &&
		(len(rule.ResourceNames) == 0 || (r.Name != "" && slices.Contains(rule.ResourceNames, r.Name)))
}

// Rules writes rights as the rules of a Role, ready to be pasted.
func Rules(rights []Right) []string {
	type key struct{ group, resource, name string }
	verbs := map[key][]string{}
	var order []key
	for _, r := range rights {
		k := key{r.Group, r.Resource, r.Name}
		if verbs[k] == nil {
			order = append(order, k)
		}
		verbs[k] = append(verbs[k], fmt.Sprintf("%q", r.Verb))
	}
	lines := []string{"rules:"}
	for _, k := range order {
		lines = append(lines,
			fmt.Sprintf("- apiGroups: [%q]", k.group),
			fmt.Sprintf("  resources: [%q]", k.resource))
		if k.name != "" {
			lines = append(lines, fmt.Sprintf("  resourceNames: [%q]", k.name))
		}
		lines = append(lines, "  verbs: ["+strings.Join(verbs[k], ", ")+"]")
	}
	return lines
}
