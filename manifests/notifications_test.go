package manifests_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

// fired is what tools/argocd says about a trigger.
type fired struct {
	OncePer      string   `json:"oncePer"`
	Destinations []string `json:"destinations"`
	Notification struct {
		Message string                   `json:"message"`
		Email   struct{ Subject string } `json:"email"`
		Slack   struct{ Attachments string }
		GitHub  struct {
			Status struct{ State, Label, TargetURL string } `json:"status"`
		} `json:"github"`
	} `json:"notification"`
	GitHub string `json:"github"`
}

// stockNotifications is Argo CD's own, which is empty.
const stockNotifications = `apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-notifications-cm
  labels: {app.kubernetes.io/part-of: argocd}
`

func notificationsConfig(t *testing.T) *corev1.ConfigMap {
	t.Helper()
	return one[*corev1.ConfigMap](t, onStock(t, stockNotifications, "notifications", "notifications/github"))
}

// commit is the revision that was rendered.
const commit = "8cf41a89ce5300000000000000000000000000ab"

// withRecord is an Application as trigger and Argo CD leave it.
func withRecord(record string) map[string]any {
	text := `
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: nova-staging
  namespace: argocd
  labels: {staging.nova/trigger: "true"}
  annotations: {}
spec:
  source: {repoURL: https://github.com/proerror77/Nova.git}
status:
  sync: {status: Synced, revision: ` + commit + `}
  operationState:
    phase: Succeeded
    syncResult:
      revision: ` + commit + `
      resources:
      - {kind: Deployment, name: auth-service, message: deployment.apps/auth-service configured}
      - {kind: Job, name: smoke, hookType: PostSync, hookPhase: Succeeded, message: Reached expected number of succeeded pods}
`
	var app map[string]any
	if err := yaml.Unmarshal([]byte(text), &app); err != nil {
		panic(err)
	}
	if record != "" {
		app["metadata"].(map[string]any)["annotations"].(map[string]any)["trigger.staging.nova/record"] = record
	}
	return app
}

func ask(t *testing.T, applications ...map[string]any) []map[string]fired {
	t.Helper()
	secret := map[string]string{
		"slack-token": "xoxb-1", "email-host": "smtp.example.com", "email-username": "u", "email-password": "p", "email-from": "argocd@example.com",
		"github-appID": "1", "github-installationID": "2", "github-privateKey": privateKey(t),
	}
	var answers []map[string]fired
	askArgoCD(t, "notifications", map[string]any{"configMap": notificationsConfig(t), "secret": secret, "applications": applications}, &answers)
	if len(answers) != len(applications) {
		t.Fatalf("%d answers to %d Applications", len(answers), len(applications))
	}
	return answers
}

// privateKey makes a key: the engine reads it before anything else.
func privateKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func TestNotificationsTellTheVerdictOnceAndToWhomItMatters(t *testing.T) {
	t.Parallel()
	const smokeFailed = "Job smoke: Container smoke for pod nova/smoke-x failed with exit code 12 matching FailJob rule at index 8"
	all, bad := []string{"github:", "slack:nova-staging"}, []string{"email:nova-staging@example.com", "github:", "slack:nova-staging"}
	bare := withRecord("")
	delete(bare["metadata"].(map[string]any), "annotations")
	several := withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","verdict":"Failed","message":"x"}`)
	several["spec"] = map[string]any{"sources": []any{map[string]any{"repoURL": "https://github.com/proerror77/Nova.git"}, map[string]any{"repoURL": "https://example.com/values.git"}}}
	several["status"] = map[string]any{"sync": map[string]any{"revisions": []any{commit, "ffff"}}}
	// What Argo CD leaves when it can not render: the branch, or with several sources nothing.
	unrendered := withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","verdict":"RenderFailed","message":"x"}`)
	unrendered["status"].(map[string]any)["sync"] = map[string]any{"status": "Unknown", "revision": "main"}
	severalUnrendered := withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","verdict":"RenderFailed","message":"x"}`)
	severalUnrendered["spec"] = several["spec"]
	severalUnrendered["status"] = map[string]any{
		"sync":           map[string]any{"status": "Unknown"},
		"operationState": map[string]any{"syncResult": map[string]any{"revisions": []any{commit, "ffff"}}},
	}
	selfHeals := withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","verdict":"Verified","message":"sync succeeded"}`)
	selfHeals["status"].(map[string]any)["operationState"] = map[string]any{"phase": "Running"}
	tests := []struct {
		name    string
		app     map[string]any
		trigger string // "" for none
		oncePer string
		to      []string
		state   string
		message string
		says    []string // in the Slack attachment, too
	}{
		{name: "no annotations", app: bare},
		{name: "no record", app: withRecord("")},
		{name: "no verdict yet", app: withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy"}`)},
		{name: "nothing changed", app: withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","verdict":"Unchanged"}`)},
		{name: "a rollback on its way", app: withRecord(`{"instant":"2026-11-20T08:00:00Z","kind":"rollback","bad":"2026-11-20T09:10:30Z"}`)},
		{
			name: "verified", trigger: "on-nova-verified", oncePer: "2026-11-20T09:10:30Z", to: all, state: "success",
			app:     withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","reason":"push of nova/auth-service:61a7 and 7 more","verdict":"Verified","message":"sync succeeded at revision 8cf41a89ce53"}`),
			message: "nova-staging is verified as of 2026-11-20T09:10:30Z (push of nova/auth-service:61a7 and 7 more): sync succeeded at revision 8cf41a89ce53\nsmoke: Reached expected number of succeeded pods\n",
			says:    []string{"nova-staging is verified", "push of nova/auth-service:61a7 and 7 more"},
		},
		{
			name: "failed and stayed", trigger: "on-nova-failed", oncePer: "2026-11-20T09:10:30Z Failed", to: bad, state: "failure",
			app:     withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","verdict":"Failed","message":"` + smokeFailed + `"}`),
			message: "nova-staging: the sync failed as of 2026-11-20T09:10:30Z: " + smokeFailed + "\nsmoke says: another image than the release's is asked for or runs\nWhat failed still runs. See: trigger rollback --application argocd/nova-staging\n",
			says:    []string{smokeFailed, "another image than the release's is asked for or runs"},
		},
		{
			name: "could not be rendered", trigger: "on-nova-failed", oncePer: "2026-11-20T09:10:30Z RenderFailed", to: bad, state: "failure",
			app:     withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","verdict":"RenderFailed","message":"no image satisfies the policy \"commit\""}`),
			message: "nova-staging: Argo CD can not render as of 2026-11-20T09:10:30Z: no image satisfies the policy \"commit\"\nNothing was deployed; what ran before still runs.\n",
			says:    []string{`no image satisfies the policy \"commit\"`, "it was not asked"},
		},
		{
			name: "the rollback failed", trigger: "on-nova-failed", oncePer: "2026-11-20T08:00:00Z Failed", to: bad, state: "failure",
			app:     withRecord(`{"instant":"2026-11-20T08:00:00Z","kind":"rollback","bad":"2026-11-20T09:10:30Z","badMessage":"Job smoke: exit code 13","verdict":"Failed","message":"Job smoke: exit code 11"}`),
			message: "nova-staging: the rollback failed as of 2026-11-20T08:00:00Z: Job smoke: exit code 11\nsmoke says: a Pod can not start: bad image, crash loop, missing Secret, no room\nThe deployment before it: Job smoke: exit code 13\nWhat failed still runs. See: trigger rollback --application argocd/nova-staging\n",
			says:    []string{"a Pod can not start"},
		},
		{
			name: "rolled back", trigger: "on-nova-rolled-back", oncePer: "2026-11-20T08:00:00Z 2026-11-20T09:10:30Z", to: bad, state: "failure",
			app:     withRecord(`{"instant":"2026-11-20T08:00:00Z","kind":"rollback","bad":"2026-11-20T09:10:30Z","badMessage":"` + smokeFailed + `","verdict":"Verified","message":"sync succeeded"}`),
			message: "nova-staging was rolled back from 2026-11-20T09:10:30Z to 2026-11-20T08:00:00Z: " + smokeFailed + "\nsmoke says: another image than the release's is asked for or runs\nWhat passed at 2026-11-20T08:00:00Z runs again. Only images that are pushed after 2026-11-20T09:10:30Z are deployed from here on.\n",
			says:    []string{smokeFailed, "2026-11-20T08:00:00Z", "another image than"},
		},
		{
			name: "could not be rendered, and the revision is a branch", trigger: "on-nova-failed", oncePer: "2026-11-20T09:10:30Z RenderFailed", to: bad, state: "failure", app: unrendered,
			message: "nova-staging: Argo CD can not render as of 2026-11-20T09:10:30Z: x\nNothing was deployed; what ran before still runs.\n",
		},
		{
			name: "several sources could not be rendered", trigger: "on-nova-failed", oncePer: "2026-11-20T09:10:30Z RenderFailed", to: bad, state: "failure", app: severalUnrendered,
			message: "nova-staging: Argo CD can not render as of 2026-11-20T09:10:30Z: x\nNothing was deployed; what ran before still runs.\n",
		},
		{
			name: "verified, and a self-heal begins", trigger: "on-nova-verified", oncePer: "2026-11-20T09:10:30Z", to: all, state: "success", app: selfHeals,
			message: "nova-staging is verified as of 2026-11-20T09:10:30Z: sync succeeded\n",
		},
		{
			name: "several sources", trigger: "on-nova-failed", oncePer: "2026-11-20T09:10:30Z Failed", to: bad, state: "failure", app: several,
			message: "nova-staging: the sync failed as of 2026-11-20T09:10:30Z: x\nWhat failed still runs. See: trigger rollback --application argocd/nova-staging\n",
		},
	}
	var apps []map[string]any
	for _, tt := range tests {
		apps = append(apps, tt.app)
	}
	answers := ask(t, apps...)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var want []string
			if tt.trigger != "" {
				want = append(want, tt.trigger)
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(answers[i]))); diff != "" {
				t.Fatalf("triggers (-want +got):\n%s", diff)
			}
			if tt.trigger == "" {
				return
			}
			got := answers[i][tt.trigger]
			if diff := cmp.Diff(tt.to, got.Destinations); diff != "" || got.OncePer != tt.oncePer {
				t.Errorf("once per %q, want %q; destinations (-want +got):\n%s", got.OncePer, tt.oncePer, diff)
			}
			n := got.Notification
			if diff := cmp.Diff(tt.message, n.Message); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if n.Email.Subject == "" || strings.Contains(n.Email.Subject, "\n") {
				t.Errorf("subject %q", n.Email.Subject)
			}
			if s := n.GitHub.Status; s.State != tt.state || s.Label != "staging/nova-staging" || s.TargetURL != "https://argocd.example.com/applications/argocd/nova-staging" {
				t.Errorf("commit status %+v", s)
			}
			if !strings.Contains(got.GitHub, "repoURL:https://github.com/proerror77/Nova.git revision:"+commit+" ") {
				t.Errorf("the commit status is for %s", got.GitHub)
			}
			var attachments []struct {
				Color, Title, Text string
				TitleLink          string `json:"title_link"`
				Fields             []struct{ Title, Value string }
			}
			if err := json.Unmarshal([]byte(n.Slack.Attachments), &attachments); err != nil || len(attachments) != 1 || attachments[0].Title == "" {
				t.Fatalf("attachments: %v\n%s", err, n.Slack.Attachments)
			}
			for _, f := range attachments[0].Fields {
				if f.Value == "" {
					t.Errorf("field %s is empty", f.Title)
				}
			}
			for _, text := range tt.says {
				if !strings.Contains(n.Slack.Attachments, text) {
					t.Errorf("Slack does not hear %q:\n%s", text, n.Slack.Attachments)
				}
			}
			if all := fmt.Sprint(n); strings.Contains(all, "<no value>") || strings.Contains(all, "<nil>") {
				t.Errorf("something has no value: %s", all)
			}
		})
	}
}

// TestNotificationsWorkWithoutGitHub: one service that can not be made stops all.
func TestNotificationsWorkWithoutGitHub(t *testing.T) {
	t.Parallel()
	c := one[*corev1.ConfigMap](t, onStock(t, stockNotifications, "notifications"))
	var answers []map[string]fired
	askArgoCD(t, "notifications", map[string]any{
		"configMap": c, "secret": map[string]string{"slack-token": "x", "email-host": "h", "email-username": "u", "email-password": "p", "email-from": "f"},
		"applications": []any{withRecord(`{"instant":"2026-11-20T09:10:30Z","kind":"deploy","verdict":"Verified"}`)},
	}, &answers)
	if got := answers[0]["on-nova-verified"].Destinations; !slices.Equal(got, []string{"slack:nova-staging"}) {
		t.Errorf("it goes to %v", got)
	}
}

func TestNotificationsExplainEveryExitCodeOfSmoke(t *testing.T) {
	t.Parallel()
	var context map[string]string
	if err := yaml.Unmarshal([]byte(notificationsConfig(t).Data["context"]), &context); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, c := range verdict.Classes() {
		if c.Code != 0 {
			want[fmt.Sprintf("smoke%d", c.Code)] = c.Meaning
		}
	}
	delete(context, "argocdUrl")
	if diff := cmp.Diff(want, context); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

func TestNotificationsHoldNoSecret(t *testing.T) {
	t.Parallel()
	page := read(t, "..", "docs", "notifications.md")
	for key, text := range notificationsConfig(t).Data {
		if !strings.HasPrefix(key, "service.") {
			continue
		}
		var fields map[string]any
		if err := yaml.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(err)
		}
		for name, v := range fields {
			s, isText := v.(string)
			if !isText {
				continue // a port
			}
			if !strings.HasPrefix(s, "$") {
				t.Errorf("%s: %s is %q, want a reference to a key of argocd-notifications-secret", key, name, s)
			} else if !strings.Contains(page, "`"+s[1:]+"`") {
				t.Errorf("docs/notifications.md does not say what the key %s is", s[1:])
			}
		}
	}
}

func TestThePageTriesTriggersAndTemplatesThatExist(t *testing.T) {
	t.Parallel()
	data := notificationsConfig(t).Data
	found := regexp.MustCompile(`notifications (?:(trigger) run|(template) notify) (\S+) nova-staging -n argocd`).
		FindAllStringSubmatch(read(t, "..", "docs", "notifications.md"), -1)
	if len(found) != 2 {
		t.Fatalf("the page shows %q, want a trigger and a template", found)
	}
	for _, m := range found {
		if key := m[1] + m[2] + "." + m[3]; data[key] == "" {
			t.Errorf("the page shows %q, and there is no %s", m[0], key)
		}
	}
}
