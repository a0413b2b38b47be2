// Package config is the file that says what a smoke test looks at.
package config

import (
	"time"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

const (
	// APIVersion of the file.
	APIVersion = "staging.nova/v1alpha1"
	// Kind of the file.
	Kind = "SmokeTest"
)

// Config is a SmokeTest file.
type Config struct {
	// APIVersion is "staging.nova/v1alpha1". Required.
	APIVersion string `yaml:"apiVersion"`
	// Kind is "SmokeTest". Required.
	Kind string `yaml:"kind"`
	// Namespace of the services. Optional, default: the Pod's own namespace, or
	// that of the kubeconfig's context.
	Namespace string `yaml:"namespace"`
	// Release says where the expected images are. Optional.
	Release Release `yaml:"release"`
	// Deadline of the whole run. It must be shorter than the Job's
	// activeDeadlineSeconds. Optional, default 4m.
	Deadline Duration `yaml:"deadline"`
	// Defaults for all services. Optional.
	Defaults Defaults `yaml:"defaults"`
	// Services to look at, at least one unless redisSentinel or kafka is given.
	Services []Service `yaml:"services"`
	// RedisSentinel to look at. Optional: absent means skipped.
	RedisSentinel *RedisSentinel `yaml:"redisSentinel"`
	// Kafka to look at. Optional: absent means skipped.
	Kafka *Kafka `yaml:"kafka"`
}

// Release says where generate's record of the resolved images is.
type Release struct {
	// ConfigMap's name. Optional, default "nova-release". An empty string turns
	// the identity check off: it is then reported as skipped.
	ConfigMap *string `yaml:"configMap"`
}

// Name of the release ConfigMap, empty when identity is not checked.
func (r Release) Name() string {
	if r.ConfigMap == nil {
		return "nova-release"
	}
	return *r.ConfigMap
}

// Defaults are times and counts for every service.
type Defaults struct {
	// RolloutTimeout bounds the wait for a complete rollout and for ready Pods.
	// Optional, default 3m.
	RolloutTimeout Duration `yaml:"rolloutTimeout"`
	// ProbeTimeout bounds the retries of a health or metrics check, all Pods
	// together. Optional, default 30s.
	ProbeTimeout Duration `yaml:"probeTimeout"`
	// RequestTimeout bounds one request, from connecting to the body's last
	// byte. Optional, default 5s.
	RequestTimeout Duration `yaml:"requestTimeout"`
	// Interval between two looks. Optional, default 1s.
	Interval Duration `yaml:"interval"`
	// Successes that a health endpoint must give one after the other, each over
	// a new connection. Optional, default 3, at most 100.
	Successes int `yaml:"successes"`
	// DoomAfter is how long a Pod must be failing to start (image pull, crash
	// loop, missing Secret, quota) until it counts as doomed. Optional, default 15s.
	DoomAfter Duration `yaml:"doomAfter"`
	// UnschedulableAfter is how long a Pod may find no node, so that an
	// autoscaler can add one. Optional, default 90s.
	UnschedulableAfter Duration `yaml:"unschedulableAfter"`
	// Connections open at the same time, all services together. Optional,
	// default 128, at most 1024.
	Connections int `yaml:"connections"`
}

// Service is one Deployment and the Service in front of it.
type Service struct {
	// Name in reports. Required, unique.
	Name string `yaml:"name"`
	// Deployment's name. Optional, default Name.
	Deployment string `yaml:"deployment"`
	// Service's name. Optional, default Name.
	Service string `yaml:"service"`
	// Port of the Service, a number or a name; Pods are asked at the port it
	// leads to. Required.
	Port Port `yaml:"port"`
	// HealthPath begins with "/". Optional, default "/health"; an empty string
	// means that there is none: skipped.
	HealthPath *string `yaml:"healthPath"`
	// Health says what a good answer is. Optional: any 2xx that is no HTML page
	// and does not itself say that it is down.
	Health Health `yaml:"health"`
	// MetricsPath begins with "/". Optional, default "/metrics"; an empty
	// string means that there is none: skipped.
	MetricsPath *string `yaml:"metricsPath"`
	// Metrics says what a good page holds. Optional.
	Metrics Metrics `yaml:"metrics"`
	// MetricsPort where it is not Port: a port of the Service, number or name.
	// Optional.
	MetricsPort Port `yaml:"metricsPort"`
	// TLS switches to https. Optional.
	TLS *TLS `yaml:"tls"`
	// UnmanagedContainers are containers of the Pod template whose image is in
	// no release, for example a sidecar with a fixed tag. Their identity is not
	// checked. Optional.
	UnmanagedContainers []string `yaml:"unmanagedContainers"`
	// Successes, RequestTimeout and RolloutTimeout override the defaults. Optional.
	Successes      int      `yaml:"successes"`
	RequestTimeout Duration `yaml:"requestTimeout"`
	RolloutTimeout Duration `yaml:"rolloutTimeout"`
}

// Path gives the path that a field holds, its default when it is absent.
func path(field *string, fallback string) string {
	if field == nil {
		return fallback
	}
	return *field
}

// Healthy is the path of the health endpoint, empty when there is none.
func (s Service) Healthy() string { return path(s.HealthPath, "/health") }

// Measured is the path of the metrics page, empty when there is none.
func (s Service) Measured() string { return path(s.MetricsPath, "/metrics") }

// Health is what a good answer of a health endpoint looks like.
type Health struct {
	// Status codes that are good. Optional, default: 200 to 299. A redirect is
	// only good when it is listed; it is never followed.
	Status []int `yaml:"status"`
	// ContentType that the answer must have, without parameters, for example
	// "application/json". Optional. "text/html" allows an HTML page.
	ContentType string `yaml:"contentType"`
	// Body is a regular expression (RE2) that the body must match. Optional.
	Body string `yaml:"body"`
	// JSON fields and the values they must have. A field is named by its path,
	// "checks.database.status"; the value is compared as text. "{commit}",
	// "{tag}" and "{digest}" stand for what the release says of the service's
	// image. Optional.
	JSON map[string]string `yaml:"json"`
	// Host header. Optional, default: the name and port that are asked.
	Host string `yaml:"host"`
}

// Metrics is what a good metrics page holds.
type Metrics struct {
	// Families that must be there with at least one sample. Optional.
	Families []string `yaml:"families"`
	// BuildInfo must carry the release's commit. Optional.
	BuildInfo *BuildInfo `yaml:"buildInfo"`
}

// BuildInfo is a metric whose label names the commit that was built.
type BuildInfo struct {
	// Family, for example "build_info". Required.
	Family string `yaml:"family"`
	// Label, for example "revision". Required.
	Label string `yaml:"label"`
}

// TLS is how a server's certificate is verified. There is no way not to.
type TLS struct {
	// CAFile holds the certificates to trust, PEM. Optional, default: the system's.
	CAFile string `yaml:"caFile"`
	// ServerName in the certificate. Optional, default:
	// "<service>.<namespace>.svc", for the Service and for its Pods; for Redis
	// and Kafka the host that is dialled.
	ServerName string `yaml:"serverName"`
}

// RedisSentinel is a group of sentinels and the master it watches.
type RedisSentinel struct {
	// Addresses of the sentinels, host:port. A host that resolves to several
	// addresses, such as a headless Service, stands for all of them. Required.
	Addresses []string `yaml:"addresses"`
	// Master's name in the sentinels' configuration. Required.
	Master string `yaml:"master"`
	// Sentinels that must answer and know each other. Optional, default: all
	// that Addresses resolve to.
	Sentinels int `yaml:"sentinels"`
	// Quorum that must be configured. Optional, default: any that CKQUORUM is
	// content with.
	Quorum int `yaml:"quorum"`
	// Replicas that must be online. Optional, default 1; 0 is allowed.
	Replicas *int `yaml:"replicas"`
	// UsernameEnv and PasswordEnv name the environment variables that hold the
	// credentials for the Redis servers. Optional.
	UsernameEnv string `yaml:"usernameEnv"`
	PasswordEnv string `yaml:"passwordEnv"`
	// SentinelUsernameEnv and SentinelPasswordEnv, likewise for the sentinels.
	// Optional.
	SentinelUsernameEnv string `yaml:"sentinelUsernameEnv"`
	SentinelPasswordEnv string `yaml:"sentinelPasswordEnv"`
	// TLS for sentinels and servers. Optional.
	TLS *TLS `yaml:"tls"`
	// Timeout of the check, retries included: a failover under way has this
	// long to end. Optional, default 45s.
	Timeout Duration `yaml:"timeout"`
}

// WantReplicas is the number of replicas that must be online.
func (r RedisSentinel) WantReplicas() int {
	if r.Replicas == nil {
		return 1
	}
	return *r.Replicas
}

// Kafka is a cluster and the topics that must be whole in it.
type Kafka struct {
	// Brokers to begin with, host:port. Required.
	Brokers []string `yaml:"brokers"`
	// MinBrokers that must be alive and answer. Optional, default: as many as
	// Brokers lists.
	MinBrokers int `yaml:"minBrokers"`
	// Topics that must exist. Optional.
	Topics []string `yaml:"topics"`
	// MinInSyncReplicas of every partition of Topics. Optional, default: each
	// topic's own min.insync.replicas.
	MinInSyncReplicas int `yaml:"minInSyncReplicas"`
	// TLS. Optional.
	TLS *TLS `yaml:"tls"`
	// SASL. Optional.
	SASL *SASL `yaml:"sasl"`
	// Timeout of the check, retries included. Optional, default 30s.
	Timeout Duration `yaml:"timeout"`
}

// SASL is how Kafka knows who asks.
type SASL struct {
	// Mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Required.
	Mechanism string `yaml:"mechanism"`
	// UsernameEnv and PasswordEnv name the environment variables. Required.
	UsernameEnv string `yaml:"usernameEnv"`
	PasswordEnv string `yaml:"passwordEnv"`
}

// Default values, as the fields' comments give them.
const (
	DefaultDeadline           = 4 * time.Minute
	DefaultRolloutTimeout     = 3 * time.Minute
	DefaultProbeTimeout       = 30 * time.Second
	DefaultRequestTimeout     = 5 * time.Second
	DefaultInterval           = time.Second
	DefaultSuccesses          = 3
	DefaultDoomAfter          = 15 * time.Second
	DefaultUnschedulableAfter = 90 * time.Second
	DefaultConnections        = 128
	DefaultSentinelTimeout    = 45 * time.Second
	DefaultKafkaTimeout       = 30 * time.Second
)

// Configured says whether the file asks for the check at all.
func (c *Config) Configured(name verdict.Check) bool {
	switch name {
	case verdict.Sentinel:
		return c.RedisSentinel != nil
	case verdict.Kafka:
		return c.Kafka != nil
	case verdict.Identity, verdict.Release:
		return c.Release.Name() != ""
	default:
		return true
	}
}
