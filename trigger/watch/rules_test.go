package watch

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/trigger/application"
	"github.com/proerror77/nova-staging/trigger/settle"
)

// An Application says otherwise for itself; nothing waits less than for quiet.
func TestTheRulesInForce(t *testing.T) {
	t.Parallel()
	const host = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/"
	ordinary := settle.Rules{Quiet: 20 * time.Second, MaxWait: 5 * time.Minute, TogetherMaxWait: 30 * time.Minute}
	for _, tt := range []struct {
		name             string
		settings         application.Settings
		quiet, most, set time.Duration
		together         string
	}{
		{"nothing is said", application.Settings{}, 20 * time.Second, 5 * time.Minute, 30 * time.Minute, ""},
		{"quiet", application.Settings{Settle: time.Minute}, time.Minute, 5 * time.Minute, 30 * time.Minute, ""},
		{"quiet for longer than the maximum", application.Settings{Settle: 10 * time.Minute}, 10 * time.Minute, 10 * time.Minute, 30 * time.Minute, ""},
		{"quiet for longer than both", application.Settings{Settle: time.Hour}, time.Hour, time.Hour, time.Hour, ""},
		{"the maximum, of a set too", application.Settings{MaxWait: 2 * time.Minute}, 20 * time.Second, 2 * time.Minute, 2 * time.Minute, ""},
		{"the maximum, less than quiet", application.Settings{MaxWait: time.Second}, 20 * time.Second, 20 * time.Second, 20 * time.Second, ""},
		{"all together", application.Settings{Together: true}, 20 * time.Second, 5 * time.Minute, 30 * time.Minute, "nova/auth nova/user web"},
		{"some together", application.Settings{Together: true, TogetherOf: []string{host + "nova/*"}}, 20 * time.Second, 5 * time.Minute, 30 * time.Minute, "nova/auth nova/user"},
		{"one together is none", application.Settings{Together: true, TogetherOf: []string{host + "web"}}, 20 * time.Second, 5 * time.Minute, 30 * time.Minute, ""},
		{"some, but not together", application.Settings{TogetherOf: []string{host + "nova/*"}}, 20 * time.Second, 5 * time.Minute, 30 * time.Minute, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := &Watcher{o: Options{Rules: ordinary}}
			got := w.rules(&application.Application{Images: []string{host + "nova/auth:1", host + "nova/user:1", host + "web:1"}, Settings: tt.settings})
			var together []string
			for r := range maps.Keys(got.Together) {
				together = append(together, r.Name)
			}
			slices.Sort(together)
			if got.Quiet != tt.quiet || got.MaxWait != tt.most || got.TogetherMaxWait != tt.set || strings.Join(together, " ") != tt.together {
				t.Errorf("%+v; want %s, %s, %s, %q", got, tt.quiet, tt.most, tt.set, tt.together)
			}
		})
	}
}
