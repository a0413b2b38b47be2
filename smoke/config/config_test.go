package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const head = "apiVersion: staging.nova/v1alpha1\nkind: SmokeTest\n"

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := Parse("smoke.yaml", []byte(head+"services:\n- {name: auth, port: http}\n- {name: user, port: 80, healthPath: '', successes: 1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, u := c.Services[0], c.Services[1]
	if a.Deployment != "auth" || a.Service != "auth" || a.Healthy() != "/health" || a.Measured() != "/metrics" || a.Successes != 3 ||
		a.MetricsPort.Name != "http" || a.RequestTimeout.Std() != 5*time.Second || c.Deadline.Std() != 4*time.Minute || c.Release.Name() != "nova-release" {
		t.Errorf("%+v", a)
	}
	if u.Healthy() != "" || u.Successes != 1 || u.Port.Number != 80 {
		t.Errorf("%+v", u)
	}
}

func TestMistakesNameLineAndChoices(t *testing.T) {
	t.Parallel()
	service := head + "services:\n- name: auth\n  port: 8080\n"
	tests := []struct{ name, file, want string }{
		{"an unknown field", service + "  helthPath: /x\n", `smoke.yaml:6: unknown field "helthPath" in services[0], valid fields are: deployment, health, healthPath`},
		{"a field twice", service + "  port: 8081\n", "smoke.yaml:6: field \"port\" is already given at line 5"},
		{"another kind", strings.Replace(service, "SmokeTest", "ImagePolicy", 1), `smoke.yaml:2: kind is "ImagePolicy", valid is: SmokeTest`},
		{"another version", strings.Replace(service, "v1alpha1", "v1", 1), "smoke.yaml:1: apiVersion"},
		{"a service twice", service + "- {name: auth, port: 1}\n", "smoke.yaml:6: service \"auth\" is already given at smoke.yaml:4"},
		{"no port", head + "services:\n- name: auth\n", "smoke.yaml:4: service \"auth\" needs a port"},
		{"a port beyond", head + "services:\n- {name: auth, port: 70000}\n", "smoke.yaml:4: not valid YAML: port 70000 is not between"},
		{"a path without a slash", service + "  healthPath: health\n", "smoke.yaml:6: healthPath \"health\": a path begins with /"},
		{"a duration without a unit", head + "deadline: 30\nservices: []\n", "like 30s"},
		{"a negative duration", head + "deadline: -3s\n", "above zero"},
		{"no services", head, "nothing to look at"},
		{"an empty section", service + "kafka:\n", "smoke.yaml:6: kafka is empty"},
		{"topics that are not named", service + "kafka:\n  brokers: ['a:1']\n  topics:\n", "smoke.yaml:8: kafka.topics is empty"},
		{"TLS with nothing behind it", service + "  tls:\n", "smoke.yaml:6: services[0].tls is empty"},
		{"a JSON field without a value", service + "  health:\n    json:\n      status:\n", "smoke.yaml:8: services[0].health.json.status is empty"},
		{"a topic that is none", service + "kafka: {brokers: ['a:1'], topics: [a, ~]}\n", "smoke.yaml:6: kafka.topics[1] is empty"},
		{"a bad expression", service + "  health: {body: '('}\n", "smoke.yaml:6: health.body"},
		{"an address without a port", service + "kafka: {brokers: [kafka]}\n", `smoke.yaml:6: "kafka" is no address, write host:port`},
		{"an unknown mechanism", service + "kafka: {brokers: ['a:1'], sasl: {mechanism: GSSAPI, usernameEnv: A, passwordEnv: B}}\n", "valid are: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"},
		{"no master", service + "redisSentinel: {addresses: ['a:1']}\n", "redisSentinel.master is missing"},
		{"a password instead of a name", service + "redisSentinel: {addresses: ['a:1'], master: m, passwordEnv: 'hunter2!'}\n", "wants the name of an environment variable"},
		{"too many successes", service + "  successes: 101\n", "valid is 1 to 100"},
		{"a name that is none", head + "services:\n- {name: Auth_Service, port: 1}\n", "no Kubernetes name"},
		{"a second document", service + "---\na: b\n", "second YAML document"},
		{"nothing", "", "is empty"},
		{"a list", "- a\n", "want a mapping"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("smoke.yaml", []byte(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the value is in the error: %v", err)
			}
		})
	}
}

func TestAFolderOfParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "holds no file") {
		t.Errorf("an empty folder: %v", err)
	}
	write("a.yaml", head+"defaults: {successes: 7}\nservices: [{name: a, port: 1}]\n")
	write("b.yaml", head+"services: [{name: b, port: 1}]\nkafka: {brokers: ['k:1']}\n")
	write("notes.txt", "not read")
	write("c.yml", head+"services: [{name: c, port: 1}]\n")
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "c.yml")+" would not be read: let its name end in .yaml") {
		t.Errorf("a part with another ending: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "c.yml")); err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir)
	if err != nil || len(c.Services) != 2 || c.Services[1].Successes != 7 || c.Kafka == nil || c.Kafka.MinBrokers != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	write("c.yaml", head+"kafka: {brokers: ['k:1']}\n")
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "c.yaml:3: kafka is already given in "+filepath.Join(dir, "b.yaml")) {
		t.Errorf("a section twice: %v", err)
	}
	write("c.yaml", head+"services: [{name: a, port: 1}]\n")
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "already given at") {
		t.Errorf("a service twice: %v", err)
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	c, err := Parse("smoke.yaml", []byte(head+"services: [{name: a, port: 1}, {name: b, port: 1}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Select([]string{"c"}); err == nil || !strings.Contains(err.Error(), "valid services are: a, b") {
		t.Errorf("%v", err)
	}
	if err := c.Select([]string{"b", "b"}); err != nil || len(c.Services) != 1 || c.Services[0].Name != "b" {
		t.Errorf("%v %+v", err, c.Services)
	}
	if _, err := ParseChecks([]string{"helth"}); err == nil || !strings.Contains(err.Error(), "valid checks are: rollout") {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "services:\n- {name: auth, port: http, health: {json: {a: b}}}\n"))
	f.Add([]byte(head + "redisSentinel: {addresses: ['a:1'], master: m}\nkafka: {brokers: ['a:1']}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("smoke.yaml", data)
		if err == nil && len(c.Services) == 0 && c.RedisSentinel == nil && c.Kafka == nil {
			t.Error("a config that looks at nothing is valid")
		}
	})
}
