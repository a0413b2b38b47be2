package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Mechanisms are the valid values of kafka.sasl.mechanism.
func Mechanisms() []string { return []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} }

var (
	envRE   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	topicRE = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
)

func (v *validator) env(field, name string, at ...any) {
	if name != "" && !envRE.MatchString(name) {
		v.add(fmt.Sprintf("%s wants the name of an environment variable, not a value", field), at...)
	}
}

func (v *validator) sentinel(r *RedisSentinel) {
	if r == nil {
		return
	}
	const s = "redisSentinel"
	if len(r.Addresses) == 0 {
		v.add("redisSentinel.addresses is empty, give host:port of the sentinels", s, "addresses")
	}
	for i, a := range r.Addresses {
		v.address(a, s, "addresses", i)
	}
	if r.Master == "" {
		v.add("redisSentinel.master is missing: the name that the sentinels watch it under, often mymaster", s, "master")
	}
	for field, n := range map[string]int{"sentinels": r.Sentinels, "quorum": r.Quorum, "replicas": r.WantReplicas()} {
		if n < 0 {
			v.add(fmt.Sprintf("redisSentinel.%s is %d, it can not be negative", field, n), s, field)
		}
	}
	v.env("usernameEnv", r.UsernameEnv, s, "usernameEnv")
	v.env("passwordEnv", r.PasswordEnv, s, "passwordEnv")
	v.env("sentinelUsernameEnv", r.SentinelUsernameEnv, s, "sentinelUsernameEnv")
	v.env("sentinelPasswordEnv", r.SentinelPasswordEnv, s, "sentinelPasswordEnv")
	v.tls(r.TLS, s, "tls")
}

func (v *validator) kafka(k *Kafka) {
	if k == nil {
		return
	}
	const s = "kafka"
	if len(k.Brokers) == 0 {
		v.add("kafka.brokers is empty, give host:port of one broker at least", s, "brokers")
	}
	for i, a := range k.Brokers {
		v.address(a, s, "brokers", i)
	}
	for i, t := range k.Topics {
		if !topicRE.MatchString(t) || t == "." || t == ".." {
			v.add(fmt.Sprintf("%q is no topic's name", t), s, "topics", i)
		}
	}
	if k.MinBrokers < 0 {
		v.add(fmt.Sprintf("kafka.minBrokers is %d, it can not be negative", k.MinBrokers), s, "minBrokers")
	}
	if k.MinInSyncReplicas < 0 {
		v.add(fmt.Sprintf("kafka.minInSyncReplicas is %d, it can not be negative", k.MinInSyncReplicas), s, "minInSyncReplicas")
	}
	if a := k.SASL; a != nil {
		if !slices.Contains(Mechanisms(), a.Mechanism) {
			v.add(fmt.Sprintf("kafka.sasl.mechanism is %q, valid are: %s", a.Mechanism, strings.Join(Mechanisms(), ", ")), s, "sasl", "mechanism")
		}
		if a.UsernameEnv == "" || a.PasswordEnv == "" {
			v.add("kafka.sasl needs usernameEnv and passwordEnv", s, "sasl")
		}
		v.env("usernameEnv", a.UsernameEnv, s, "sasl", "usernameEnv")
		v.env("passwordEnv", a.PasswordEnv, s, "sasl", "passwordEnv")
	}
	v.tls(k.TLS, s, "tls")
}
