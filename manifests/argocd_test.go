package manifests_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// plugin is what a ConfigManagementPlugin says that others rely on.
type plugin struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Discover   any `json:"discover"`
		Parameters struct {
			Static []struct {
				Name string `json:"name"`
			} `json:"static"`
		} `json:"parameters"`
	} `json:"spec"`
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readYAML(t *testing.T, into any, path ...string) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path...)), into); err != nil {
		t.Fatalf("%s: %v", filepath.Join(path...), err)
	}
}

func TestTheComponentMountsTheProjectsPluginYAML(t *testing.T) {
	t.Parallel()
	if read(t, "argocd", "plugin.yaml") != read(t, "..", "plugin.yaml") {
		t.Error("argocd/plugin.yaml differs from ../plugin.yaml: copy it")
	}
}

func TestTheREADMEShowsTheExampleThatTheE2ESuiteInstalls(t *testing.T) {
	t.Parallel()
	readme := read(t, "..", "README.md")
	example := read(t, "argocd", "example", "kustomization.yaml")
	_, body, _ := strings.Cut(example, "\n# with its addresses replaced by local folders and the image by its own.\n")
	if body == "" {
		t.Fatal("the example has lost its heading")
	}
	if block := indented(body); !strings.Contains(readme, "```yaml\n"+block+"   ```") {
		t.Errorf("the README does not show argocd/example/kustomization.yaml; it must have this block:\n%s", block)
	}
}

func TestThePageShowsTriggersExampleThatTheE2ESuiteInstalls(t *testing.T) {
	t.Parallel()
	page := read(t, "..", "docs", "trigger.md")
	_, body, _ := strings.Cut(read(t, "argocd", "trigger", "example", "kustomization.yaml"), "\n# replaced by a local folder and image and queue by its own.\n")
	if body == "" {
		t.Fatal("the example has lost its heading")
	}
	if block := indented(body); !strings.Contains(page, "```yaml\n"+block+"   ```") {
		t.Errorf("docs/trigger.md does not show argocd/trigger/example/kustomization.yaml; it must have this block:\n%s", block)
	}
}

// indented is a text as it stands in an item of a list.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			line = "   " + line
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestTheSidecarIsConfinedAndSharesNoTemporaryFolder(t *testing.T) {
	t.Parallel()
	// What the component patches, as a stock Argo CD has it where it matters.
	fs := filesys.MakeFsInMemory()
	for _, name := range []string{"kustomization.yaml", "plugin.yaml", "repo-server.yaml"} {
		if err := fs.WriteFile("/component/"+name, []byte(read(t, "argocd", name))); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"/install/kustomization.yaml": "resources: [stock.yaml]\ncomponents: [../component]\n",
		"/install/stock.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: argocd-repo-server}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      automountServiceAccountToken: false
      containers:
      - {name: argocd-repo-server, image: argocd, volumeMounts: [{name: tmp, mountPath: /tmp}]}
      volumes: [{name: tmp, emptyDir: {}}, {name: var-files, emptyDir: {}}, {name: plugins, emptyDir: {}}]
`,
	} {
		if err := fs.WriteFile(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := build(fs, "/install")
	if err != nil {
		t.Fatal(err)
	}
	spec := one[*appsv1.Deployment](t, r).Spec.Template.Spec
	if len(spec.Containers) != 2 {
		t.Fatalf("%d containers, want the repo-server and the sidecar", len(spec.Containers))
	}
	for _, c := range spec.Containers {
		if c.Name != "nova-generate" {
			continue
		}
		s := c.SecurityContext
		if s == nil || s.RunAsUser == nil || *s.RunAsUser != 999 || s.RunAsNonRoot == nil || !*s.RunAsNonRoot ||
			s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.Capabilities == nil || !reflect.DeepEqual(s.Capabilities.Drop, capabilitiesAll) {
			t.Errorf("the security context is not as Argo CD's page on plugins and restricted Pods want it: %+v", s)
		}
		for _, m := range c.VolumeMounts {
			if m.MountPath == "/tmp" && m.Name == "tmp" {
				t.Error("/tmp is the repo-server's: a plugin could read other repositories there")
			}
		}
		// The SDK asks the node for a role where it finds no other.
		if i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "AWS_EC2_METADATA_DISABLED" }); i < 0 || c.Env[i].Value != "true" {
			t.Errorf("env %+v: want AWS_EC2_METADATA_DISABLED true, or a sidecar without a role takes the node's", c.Env)
		}
		if len(c.Resources.Limits) == 0 {
			t.Error("no limits")
		}
		wantRoomForRenders(t, c)
		return
	}
	t.Error("there is no sidecar")
}

// wantRoomForRenders holds GOMEMLIMIT, at which a render gives up, between what large
// ones take and what the kernel allows.
func wantRoomForRenders(t *testing.T, c corev1.Container) {
	t.Helper()
	i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
	if i < 0 {
		t.Fatal("GOMEMLIMIT is not set")
	}
	// Go's unit MiB is Kubernetes' Mi.
	own, err := resource.ParseQuantity(strings.TrimSuffix(c.Env[i].Value, "B"))
	if err != nil || !strings.HasSuffix(c.Env[i].Value, "iB") {
		t.Fatalf("GOMEMLIMIT is %q: %v", c.Env[i].Value, err)
	}
	// The README has 71 MiB for 200 images. Growth is seen at two to three times GOMEMLIMIT.
	if limit := c.Resources.Limits.Memory(); own.Value() < 2*71<<20 || 5*own.Value() > limit.Value() {
		t.Errorf("GOMEMLIMIT is %s with a memory limit of %s, want twice of what 200 images take, and at most a fifth of the limit", c.Env[i].Value, limit)
	}
}

var capabilitiesAll = []corev1.Capability{"ALL"}

// application is the shipped Application, as far as the design settles it.
type application struct {
	Spec struct {
		Project string `json:"project"`
		Source  struct {
			RepoURL string `json:"repoURL"`
			Path    string `json:"path"`
			Plugin  struct {
				Name       string `json:"name"`
				Parameters []struct {
					Name   string `json:"name"`
					String string `json:"string"`
				} `json:"parameters"`
			} `json:"plugin"`
		} `json:"source"`
		Destination struct {
			Server    string `json:"server"`
			Namespace string `json:"namespace"`
		} `json:"destination"`
		SyncPolicy any `json:"syncPolicy"`
	} `json:"spec"`
}

// project is what the shipped AppProject allows.
type project struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		SourceRepos  []string `json:"sourceRepos"`
		Destinations []struct {
			Server    string `json:"server"`
			Namespace string `json:"namespace"`
		} `json:"destinations"`
		ClusterResourceWhitelist   []kindOf `json:"clusterResourceWhitelist"`
		NamespaceResourceWhitelist []kindOf `json:"namespaceResourceWhitelist"`
	} `json:"spec"`
}

type kindOf struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
	Name  string `json:"name,omitempty"`
}

func TestTheApplicationIsTheSeedsWithAnInstant(t *testing.T) {
	t.Parallel()
	var a application
	var p plugin
	readYAML(t, &a, "argocd", "application", "nova-staging.yaml")
	readYAML(t, &p, "argocd", "plugin.yaml")
	source := a.Spec.Source
	if source.Plugin.Name != p.Metadata.Name || p.Spec.Discover != nil {
		t.Errorf("the plugin is %q, want %q, and no discovery", source.Plugin.Name, p.Metadata.Name)
	}
	if len(source.Plugin.Parameters) != 1 || source.Plugin.Parameters[0].Name != "as-of" || p.Spec.Parameters.Static[0].Name != "as-of" {
		t.Fatalf("parameters %+v, want as-of, first: patches are by its place", source.Plugin.Parameters)
	}
	if _, err := time.Parse(time.RFC3339, source.Plugin.Parameters[0].String); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join("..", source.Path, "images.yaml")); err != nil {
		t.Errorf("path %s: %v", source.Path, err)
	}
	var want any
	if err := yaml.Unmarshal([]byte(`
automated: {prune: true, selfHeal: true}
syncOptions: [CreateNamespace=true]
retry: {limit: 5, backoff: {duration: 5s, factor: 2, maxDuration: 3m}}
`), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Spec.SyncPolicy, want) {
		t.Errorf("syncPolicy %v, want %v", a.Spec.SyncPolicy, want)
	}
}

func TestTheProjectAllowsWhatStagingIsMadeOfAndNothingElse(t *testing.T) {
	t.Parallel()
	var a application
	var p project
	readYAML(t, &a, "argocd", "application", "nova-staging.yaml")
	readYAML(t, &p, "argocd", "application", "project.yaml")
	if a.Spec.Project != p.Metadata.Name || !reflect.DeepEqual(p.Spec.SourceRepos, []string{a.Spec.Source.RepoURL}) ||
		len(p.Spec.Destinations) != 1 || p.Spec.Destinations[0] != a.Spec.Destination {
		t.Errorf("the project %+v does not fit the Application %+v", p, a)
	}
	// Made by controllers for what the manifests have.
	used := map[kindOf]bool{
		{Kind: "Endpoints"}: true, {Kind: "PersistentVolumeClaim"}: true, {Kind: "Pod"}: true,
		{Group: "apps", Kind: "ControllerRevision"}: true, {Group: "apps", Kind: "ReplicaSet"}: true,
		{Group: "discovery.k8s.io", Kind: "EndpointSlice"}: true,
	}
	for _, o := range with(t, "redis-sentinel", "kafka").objects {
		gvk := o.typed.GetObjectKind().GroupVersionKind()
		k := kindOf{Group: gvk.Group, Kind: gvk.Kind}
		if gvk.Kind == "Namespace" {
			k.Name = o.typed.GetName()
		}
		used[k] = true
	}
	allowed := map[kindOf]bool{}
	for _, k := range append(p.Spec.ClusterResourceWhitelist, p.Spec.NamespaceResourceWhitelist...) {
		allowed[k] = true
		if !used[k] {
			t.Errorf("%+v is allowed and not used", k)
		}
	}
	for k := range used {
		if !allowed[k] {
			t.Errorf("%+v is used and not allowed", k)
		}
	}
}

// TestThePagesNameTheOldestArgoCD: the field name of clusterResourceWhitelist came with
// Argo CD 3.3, the label phase of argocd_app_info with 3.6.
func TestThePagesNameTheOldestArgoCD(t *testing.T) {
	t.Parallel()
	var p project
	readYAML(t, &p, "argocd", "application", "project.yaml")
	named := slices.ContainsFunc(p.Spec.ClusterResourceWhitelist, func(k kindOf) bool { return k.Name != "" })
	rules := read(t, "observability", "rules", "nova-staging.yaml")
	for _, tt := range []struct {
		used bool
		page string
		says string
	}{
		{named, "README.md", "Argo CD 3.3 or newer"},
		{named, "docs/limits.md", "Argo CD 3.3 or newer"},
		{strings.Contains(rules, "phase"), "README.md", "needs 3.6"},
		{strings.Contains(rules, "phase"), "docs/limits.md", "needs 3.6"},
		{strings.Contains(rules, "phase"), "docs/observability.md", "Argo CD 3.6"},
	} {
		if says := strings.Contains(strings.Join(strings.Fields(read(t, "..", tt.page)), " "), tt.says); says != tt.used {
			t.Errorf("%s says %q: %t, want %t by what the manifests use", tt.page, tt.says, says, tt.used)
		}
	}
}
