package config

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/proerror77/nova-staging/internal/strictyaml"
)

type validator struct {
	file string
	root *yaml.Node
	bad  Mistakes
	seen map[string]string // where each service was given
}

func (v *validator) add(msg string, path ...any) {
	v.bad = append(v.bad, &strictyaml.Error{File: v.file, Line: strictyaml.At(v.root, path...), Msg: msg})
}

func (v *validator) config(c *Config) {
	if c.APIVersion != APIVersion {
		v.add(fmt.Sprintf("apiVersion is %q, valid is: %s", c.APIVersion, APIVersion), "apiVersion")
	}
	if c.Kind != Kind {
		v.add(fmt.Sprintf("kind is %q, valid is: %s", c.Kind, Kind), "kind")
	}
	if c.Namespace != "" {
		v.dns1123(c.Namespace, "namespace")
	}
	if n := c.Release.Name(); n != "" {
		if bad := validation.IsDNS1123Subdomain(n); len(bad) > 0 {
			v.add(fmt.Sprintf("release.configMap %q is no name of a ConfigMap: %s", n, bad[0]), "release", "configMap")
		}
	}
	if n := c.Defaults.Successes; n < 1 || n > 100 {
		v.add(fmt.Sprintf("defaults.successes is %d, valid is 1 to 100", n), "defaults", "successes")
	}
	if n := c.Defaults.Connections; n < 1 || n > 1024 {
		v.add(fmt.Sprintf("defaults.connections is %d, valid is 1 to 1024", n), "defaults", "connections")
	}
	if c.Defaults.Interval.Std() < 10*time.Millisecond {
		v.add("defaults.interval is below 10ms", "defaults", "interval")
	}
	for i := range c.Services {
		s := &c.Services[i]
		if first, dup := v.seen[s.Name]; dup && s.Name != "" {
			v.add(fmt.Sprintf("service %q is already given at %s", s.Name, first), "services", i, "name")
		}
		v.seen[s.Name] = fmt.Sprintf("%s:%d", v.file, strictyaml.At(v.root, "services", i))
		v.service(s, i)
	}
	v.sentinel(c.RedisSentinel)
	v.kafka(c.Kafka)
}

func (v *validator) service(s *Service, i int) {
	at := func(path ...any) []any { return append([]any{"services", i}, path...) }
	if s.Name == "" {
		v.add("a service needs a name", at()...)
	} else {
		v.dns1123(s.Name, at("name")...)
	}
	v.dns1123(s.Deployment, at("deployment")...)
	v.dns1123(s.Service, at("service")...)
	health, metrics := s.Healthy(), s.Measured()
	if s.Port.IsZero() && (health != "" || (metrics != "" && s.MetricsPort.IsZero())) {
		v.add(fmt.Sprintf("service %q needs a port: the number or the name of the Service's port", s.Name), at()...)
	}
	v.path("healthPath", health, at("healthPath")...)
	v.path("metricsPath", metrics, at("metricsPath")...)
	for _, code := range s.Health.Status {
		if code < 200 || code > 599 {
			v.add(fmt.Sprintf("health.status %d is not between 200 and 599", code), at("health", "status")...)
		}
	}
	if _, err := regexp.Compile(s.Health.Body); err != nil {
		v.add("health.body: "+err.Error(), at("health", "body")...)
	}
	if t := s.Health.ContentType; t != "" && (!strings.Contains(t, "/") || strings.ContainsAny(t, "; ")) {
		v.add(fmt.Sprintf("health.contentType %q: write a type without parameters, like application/json", t), at("health", "contentType")...)
	}
	if strings.ContainsAny(s.Health.Host, " /\r\n") {
		v.add(fmt.Sprintf("health.host %q is no host name", s.Health.Host), at("health", "host")...)
	}
	if b := s.Metrics.BuildInfo; b != nil && (b.Family == "" || b.Label == "") {
		v.add("metrics.buildInfo needs family and label", at("metrics", "buildInfo")...)
	}
	if n := s.Successes; n < 1 || n > 100 {
		v.add(fmt.Sprintf("successes is %d, valid is 1 to 100", n), at("successes")...)
	}
	v.tls(s.TLS, at("tls")...)
}

func (v *validator) path(field, p string, at ...any) {
	if p != "" && (!strings.HasPrefix(p, "/") || strings.ContainsAny(p, " \t\r\n#")) {
		v.add(fmt.Sprintf("%s %q: a path begins with / and holds no space or #", field, p), at...)
	}
}

func (v *validator) dns1123(name string, at ...any) {
	if name == "" {
		return
	}
	if bad := validation.IsDNS1123Subdomain(name); len(bad) > 0 {
		v.add(fmt.Sprintf("%q is no Kubernetes name: %s", name, bad[0]), at...)
	}
}

func (v *validator) address(a string, at ...any) {
	host, port, err := net.SplitHostPort(a)
	n, perr := strconv.Atoi(port)
	if err != nil || host == "" || perr != nil || n < 1 || n > 65535 {
		v.add(fmt.Sprintf("%q is no address, write host:port", a), at...)
	}
}

func (v *validator) tls(t *TLS, at ...any) {
	if t == nil || t.CAFile == "" {
		return
	}
	if strings.ContainsRune(t.CAFile, 0) {
		v.add("tls.caFile is no file name", at...)
	}
}
