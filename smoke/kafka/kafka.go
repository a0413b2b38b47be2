// Package kafka looks at a Kafka cluster: whether its brokers answer, whether
// it has a controller, and whether every partition of the named topics has a
// leader and enough replicas in sync. It creates and writes nothing.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"

	"github.com/proerror77/nova-staging/smoke/redact"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Cluster is what is looked at and what is expected of it.
type Cluster struct {
	// Brokers to begin with, host:port. Required.
	Brokers []string
	// MinBrokers that must be alive and answer. Required.
	MinBrokers int
	// Topics that must exist.
	Topics []string
	// MinInSync replicas of every partition; 0 means each topic's own
	// min.insync.replicas.
	MinInSync int
	// SASL. Optional.
	SASL sasl.Mechanism
	// TLS for a host. Optional.
	TLS func(host string) *tls.Config
	// Dial opens connections. Required.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout of one request. Required.
	Timeout time.Duration
}

// Look asks the cluster once, with a client of its own: a client that is kept
// remembers metadata and would tell of brokers that are long gone.
func (c *Cluster) Look(ctx context.Context) verdict.Finding {
	ctx, cancel := context.WithTimeout(ctx, 3*c.Timeout)
	defer cancel()
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID("nova-smoke"), kgo.Dialer(c.dial),
		kgo.MetadataMinAge(10 * time.Millisecond), kgo.RequestRetries(1), kgo.RetryTimeout(c.Timeout),
		kgo.RequestTimeoutOverhead(c.Timeout), kgo.ConnIdleTimeout(time.Minute), kgo.DisableClientMetrics(),
	}
	if c.SASL != nil {
		opts = append(opts, kgo.SASL(c.SASL))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return verdict.Unknown("", "a client for Kafka", redact.Line(err.Error()))
	}
	defer client.Close()
	return c.look(ctx, client)
}

func (c *Cluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.Dial(ctx, network, address)
	if err != nil || c.TLS == nil {
		return conn, err
	}
	host, _, _ := net.SplitHostPort(address)
	secure := tls.Client(conn, c.TLS(host))
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func (c *Cluster) look(ctx context.Context, client *kgo.Client) verdict.Finding {
	admin := kadm.NewClient(client)
	var meta kadm.Metadata
	var err error
	if len(c.Topics) == 0 {
		meta, err = admin.BrokerMetadata(ctx)
	} else {
		meta, err = admin.Metadata(ctx, c.Topics...)
	}
	if err != nil {
		f := failed("", fmt.Sprintf("%d brokers to answer", c.MinBrokers), err)
		if f.Verdict == verdict.Failed && c.hungUp(err) {
			f.Verdict, f.Hint = verdict.Inconclusive, "the broker hung up after the login: check user and password"
		}
		return f
	}
	if f := c.brokers(ctx, client, meta); f != nil {
		return *f
	}
	least, f := c.inSync(ctx, admin)
	if f != nil {
		return *f
	}
	findings := []verdict.Finding{verdict.Pass("")}
	partitions := 0
	for _, topic := range c.Topics {
		detail, ok := meta.Topics[topic]
		if !ok {
			findings = append(findings, verdict.Fail("topic/"+topic, "a topic of that name", "the cluster says nothing of it"))
			continue
		}
		if _, known := least[topic]; !known && detail.Err == nil {
			f := verdict.Unknown("topic/"+topic, "the topic's min.insync.replicas", "the broker that was asked does not know the topic's settings")
			f.Hint = "a broker lags behind, or set kafka.minInSyncReplicas"
			findings = append(findings, f)
			continue
		}
		partitions += len(detail.Partitions)
		findings = append(findings, c.topic(detail, least[topic], meta)...)
	}
	worst := verdict.Worst(findings)
	if worst.Verdict == verdict.Passed {
		return verdict.Pass(fmt.Sprintf("%d brokers answer, controller %d, %d topics with %d partitions in sync",
			len(meta.Brokers), meta.Controller, len(c.Topics), partitions))
	}
	for _, f := range findings {
		if f.Verdict != verdict.Passed && f.Target != worst.Target && len(worst.Details) < 8 {
			worst.Details = append(worst.Details, f.Target+": "+f.Seen)
		}
	}
	return worst
}

// failed turns an error of a request into a finding: inconclusive where the
// cluster will not let us look, failed where it does not answer.
func failed(target, expected string, err error) verdict.Finding {
	line := redact.Line(err.Error())
	if notAllowed(err) {
		f := verdict.Unknown(target, expected, line)
		f.Hint = "check kafka.sasl, kafka.tls and the ACLs: smoke needs DESCRIBE on cluster and topics"
		return f
	}
	return verdict.Fail(target, expected, line)
}

func notAllowed(err error) bool {
	for _, denied := range []error{
		kerr.ClusterAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.SaslAuthenticationFailed,
		kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState,
	} {
		if errors.Is(err, denied) {
			return true
		}
	}
	// A broker that does not know the login, or speaks TLS where plain text
	// comes, may just hang up.
	var first *kgo.ErrFirstReadEOF
	return errors.As(err, &first)
}

// hungUp says that the cluster ended the connection although a login was given.
func (c *Cluster) hungUp(err error) bool { return c.SASL != nil && errors.Is(err, io.EOF) }

// brokers wants enough of them, a controller among them, and an answer of each
// at the address that it gives to clients.
func (c *Cluster) brokers(ctx context.Context, client *kgo.Client, meta kadm.Metadata) *verdict.Finding {
	ids := meta.Brokers.NodeIDs()
	if len(ids) < c.MinBrokers {
		f := verdict.Fail("", fmt.Sprintf("%d brokers", c.MinBrokers), fmt.Sprintf("%d: %v", len(ids), ids))
		return &f
	}
	if meta.Controller < 0 || !slices.Contains(ids, meta.Controller) {
		f := verdict.Fail("", "a controller among the brokers", fmt.Sprintf("controller %d, brokers %v", meta.Controller, ids))
		return &f
	}
	silent := make([]error, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			_, silent[i] = client.Broker(int(id)).RetriableRequest(ctx, kmsg.NewPtrApiVersionsRequest())
		})
	}
	all.Wait()
	alive := len(ids)
	var first *verdict.Finding
	for i, err := range silent {
		if err == nil {
			continue
		}
		alive--
		if first == nil {
			f := failed(fmt.Sprintf("broker/%d", ids[i]), "the broker to answer at its advertised address "+addressOf(meta, ids[i]), err)
			f.Hint = "check advertised.listeners and the network policy"
			first = &f
		}
	}
	if first != nil {
		first.Details = append(first.Details, fmt.Sprintf("%d of %d brokers answer", alive, len(ids)))
	}
	return first
}

func addressOf(meta kadm.Metadata, id int32) string {
	for _, b := range meta.Brokers {
		if b.NodeID == id {
			return net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
		}
	}
	return "(none)"
}

// inSync gives the least number of in-sync replicas of each topic.
func (c *Cluster) inSync(ctx context.Context, admin *kadm.Client) (map[string]int, *verdict.Finding) {
	least := map[string]int{}
	if c.MinInSync > 0 || len(c.Topics) == 0 {
		for _, t := range c.Topics {
			least[t] = c.MinInSync
		}
		return least, nil
	}
	unknown := func(target string, err error) (map[string]int, *verdict.Finding) {
		f := verdict.Unknown(target, "the topic's min.insync.replicas", redact.Line(err.Error()))
		f.Hint = "allow DESCRIBE_CONFIGS on the topics, or set kafka.minInSyncReplicas"
		return nil, &f
	}
	configs, err := admin.DescribeTopicConfigs(ctx, c.Topics...)
	if err != nil {
		return unknown("", err)
	}
	for _, r := range configs {
		if errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			continue // said better by the topic itself
		}
		if r.Err != nil {
			return unknown("topic/"+r.Name, r.Err)
		}
		for _, conf := range r.Configs {
			if n, err := strconv.Atoi(conf.MaybeValue()); conf.Key == "min.insync.replicas" && err == nil {
				least[r.Name] = n
			}
		}
		if least[r.Name] == 0 {
			return unknown("topic/"+r.Name, errors.New("the broker does not say it"))
		}
	}
	return least, nil
}

// topic judges one topic and all its partitions.
func (c *Cluster) topic(t kadm.TopicDetail, least int, meta kadm.Metadata) []verdict.Finding {
	target := "topic/" + t.Topic
	switch {
	case errors.Is(t.Err, kerr.UnknownTopicOrPartition):
		f := verdict.Fail(target, "a topic of that name", "there is none")
		f.Hint = "smoke never creates topics"
		return []verdict.Finding{f}
	case t.Err != nil:
		return []verdict.Finding{failed(target, "the topic's partitions", t.Err)}
	case len(t.Partitions) == 0:
		return []verdict.Finding{verdict.Fail(target, "partitions", "it has none")}
	}
	ids := meta.Brokers.NodeIDs()
	var findings []verdict.Finding
	for _, p := range t.Partitions.Sorted() {
		at := fmt.Sprintf("%s partition %d", target, p.Partition)
		live := slices.DeleteFunc(slices.Clone(p.ISR), func(id int32) bool { return !slices.Contains(ids, id) })
		switch {
		case p.Leader < 0 || errors.Is(p.Err, kerr.LeaderNotAvailable):
			findings = append(findings, verdict.Fail(at, "a leader", "there is none"))
		case p.Err != nil && !errors.Is(p.Err, kerr.ReplicaNotAvailable):
			findings = append(findings, failed(at, "the partition's state", p.Err))
		case !slices.Contains(ids, p.Leader):
			findings = append(findings, verdict.Fail(at, "a leader among the brokers", fmt.Sprintf("leader %d, brokers %v", p.Leader, ids)))
		case len(live) < least:
			findings = append(findings, verdict.Fail(at, fmt.Sprintf("%d in-sync replicas", least),
				fmt.Sprintf("%d: %s of replicas %s", len(live), list(live), list(p.Replicas))))
		}
	}
	return findings
}

func list(ids []int32) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strconv.Itoa(int(id))
	}
	return "[" + strings.Join(out, " ") + "]"
}
