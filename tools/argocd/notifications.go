package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/argoproj/notifications-engine/pkg/api"
	"github.com/argoproj/notifications-engine/pkg/services"
	"github.com/argoproj/notifications-engine/pkg/templates"
	"github.com/argoproj/notifications-engine/pkg/triggers"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Fired is a trigger that fires.
type Fired struct {
	// OncePer is what the controller remembers so as not to send twice.
	OncePer string `json:"oncePer"`
	// Destinations by the subscriptions, as service:recipient.
	Destinations []string `json:"destinations"`
	// Notification as it would be handed to a service.
	Notification *services.Notification `json:"notification"`
	// GitHub is the same for GitHub with what the engine keeps to itself:
	// repository and revision.
	GitHub string `json:"github,omitempty"`
}

// notifications says which triggers fire for each Application, and with which
// text: what the controller would do, short of sending.
func notifications(in io.Reader) (any, error) {
	var q struct {
		ConfigMap    corev1.ConfigMap  `json:"configMap"`
		Secret       map[string]string `json:"secret"`
		Applications []map[string]any  `json:"applications"`
	}
	if err := read(in, &q); err != nil {
		return nil, err
	}
	secret := &corev1.Secret{Data: map[string][]byte{}}
	for k, v := range q.Secret {
		secret.Data[k] = []byte(v)
	}
	cfg, err := api.ParseConfig(&q.ConfigMap, secret)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Services)) {
		if _, err := cfg.Services[name](); err != nil {
			return nil, fmt.Errorf("service %s: %w", name, err)
		}
	}
	when, err := triggers.NewService(cfg.Triggers)
	if err != nil {
		return nil, fmt.Errorf("triggers: %w", err)
	}
	what, err := templates.NewService(cfg.Templates)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	context := map[string]string{}
	if err := yaml.Unmarshal([]byte(q.ConfigMap.Data["context"]), &context); err != nil {
		return nil, fmt.Errorf("context: %w", err)
	}
	answers := []map[string]Fired{}
	for _, app := range q.Applications {
		answer := map[string]Fired{}
		// As Argo CD's util/notification/settings hands them over; its helpers
		// time, repo and strings are left out: the project does not use them.
		vars := map[string]any{"app": app, "context": context, "secrets": secret.Data, "appProject": map[string]any{}}
		labels := (&unstructured.Unstructured{Object: app}).GetLabels()
		for name := range cfg.Triggers {
			results, err := when.Run(name, vars)
			if err != nil {
				return nil, fmt.Errorf("trigger %s: %w", name, err)
			}
			for _, r := range results {
				if !r.Triggered {
					continue
				}
				n, err := what.FormatNotification(vars, r.Templates...)
				if err != nil {
					return nil, fmt.Errorf("templates of %s: %w", name, err)
				}
				f := Fired{OncePer: r.OncePer, Notification: n, Destinations: []string{}}
				for _, d := range cfg.GetGlobalDestinations(labels)[name] {
					f.Destinations = append(f.Destinations, d.Service+":"+d.Recipient)
				}
				slices.Sort(f.Destinations)
				if n.GitHub != nil {
					f.GitHub = fmt.Sprintf("%+v", *n.GitHub)
				}
				answer[name] = f
			}
		}
		answers = append(answers, answer)
	}
	return answers, nil
}
