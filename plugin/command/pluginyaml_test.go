package command

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// plugin.yaml is what Argo CD runs the program by; the two must agree.
func TestPluginYAMLRunsThisProgram(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "plugin.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// The fields of Argo CD's cmpserver/plugin/config.go, strictly: one that Argo
	// CD does not know would be ignored there.
	var c struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Version  string `json:"version"`
			Generate struct {
				Command []string `json:"command"`
				Args    []string `json:"args"`
			} `json:"generate"`
			Parameters struct {
				Static []struct {
					Name           string `json:"name"`
					Title          string `json:"title"`
					Tooltip        string `json:"tooltip"`
					Required       bool   `json:"required"`
					ItemType       string `json:"itemType"`
					CollectionType string `json:"collectionType"`
				} `json:"static"`
			} `json:"parameters"`
			PreserveFileMode bool `json:"preserveFileMode"`
			ProvideGitCreds  bool `json:"provideGitCreds"`
		} `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(data, &c); err != nil {
		t.Fatal(err)
	}
	if c.APIVersion != "argoproj.io/v1alpha1" || c.Kind != "ConfigManagementPlugin" || c.Metadata.Name != "nova-generate" {
		t.Errorf("it is %s %s %q", c.APIVersion, c.Kind, c.Metadata.Name)
	}
	if c.Spec.Version != "" {
		t.Errorf("version %q would become a part of the plugin's name", c.Spec.Version)
	}
	if len(c.Spec.Generate.Command) != 1 || c.Spec.Generate.Command[0] != "generate" {
		t.Errorf("it runs %q", c.Spec.Generate.Command)
	}
	if s := c.Spec.Parameters.Static; len(s) != 1 || s[0].Name != "as-of" || s[0].CollectionType != "string" {
		t.Errorf("it announces %+v, want the string parameter as-of", s)
	}
	if c.Spec.PreserveFileMode || c.Spec.ProvideGitCreds {
		t.Error("file modes and git credentials are not needed")
	}
	var out, stderr bytes.Buffer
	args := append(append([]string{}, c.Spec.Generate.Args...), "--help")
	if status := Run(t.Context(), Program{Args: args, Stdout: &out, Stderr: &stderr}); status != 0 {
		t.Errorf("the program does not take the arguments %q: %s", c.Spec.Generate.Args, stderr.String())
	}
}
