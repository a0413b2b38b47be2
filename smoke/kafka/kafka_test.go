package kafka_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/proerror77/nova-staging/smoke/kafka"
	"github.com/proerror77/nova-staging/smoke/reach"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

func fake(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.SeedTopics(3, "events", "orders"), kfake.ClusterID("fake")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func cluster(c *kfake.Cluster) *kafka.Cluster {
	d := &reach.Direct{}
	return &kafka.Cluster{
		Brokers: c.ListenAddrs(), MinBrokers: 3, Topics: []string{"events", "orders"}, MinInSync: 1,
		Dial: d.Dial, Timeout: time.Second,
	}
}

// metadata lets change alter every metadata answer about topics.
func metadata(t *testing.T, c *kfake.Cluster, change func(*kmsg.MetadataResponse)) {
	t.Helper()
	// The true answer is asked for with the control function out of the way.
	c.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		r := req.(*kmsg.MetadataRequest)
		if r.AllowAutoTopicCreation {
			t.Error("the request allows topics to be created")
		}
		res := r.ResponseKind().(*kmsg.MetadataResponse)
		cluster := "fake"
		res.ClusterID, res.ControllerID = &cluster, 0
		for i, a := range c.ListenAddrs() {
			host, port, _ := net.SplitHostPort(a)
			b := kmsg.NewMetadataResponseBroker()
			b.NodeID, b.Host, b.Port = int32(i), host, number(port)
			res.Brokers = append(res.Brokers, b)
		}
		for _, asked := range r.Topics {
			top := kmsg.NewMetadataResponseTopic()
			top.Topic, top.TopicID = asked.Topic, asked.TopicID
			for n := range int32(3) {
				p := kmsg.NewMetadataResponseTopicPartition()
				p.Partition, p.Leader = n, n
				p.Replicas, p.ISR = []int32{0, 1, 2}, []int32{0, 1, 2}
				top.Partitions = append(top.Partitions, p)
			}
			res.Topics = append(res.Topics, top)
		}
		change(res)
		return res, nil, true
	})
}

func number(s string) (n int32) {
	for _, d := range s {
		n = n*10 + d - '0'
	}
	return n
}

func topic(r *kmsg.MetadataResponse, name string) *kmsg.MetadataResponseTopic {
	for i := range r.Topics {
		if r.Topics[i].Topic != nil && *r.Topics[i].Topic == name {
			return &r.Topics[i]
		}
	}
	return &kmsg.MetadataResponseTopic{Partitions: make([]kmsg.MetadataResponseTopicPartition, 3)}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		change  func(*kmsg.MetadataResponse)
		conf    func(*kafka.Cluster)
		verdict verdict.Verdict
		seen    string
	}{
		{"all is well", func(*kmsg.MetadataResponse) {}, nil, verdict.Passed, "3 brokers answer, controller 0, 2 topics with 6 partitions in sync"},
		{
			"a partition has no leader", func(r *kmsg.MetadataResponse) { topic(r, "orders").Partitions[1].Leader = -1 }, nil,
			verdict.Failed, "there is none",
		},
		{
			"a partition's leader is no broker", func(r *kmsg.MetadataResponse) { topic(r, "orders").Partitions[1].Leader = 9 }, nil,
			verdict.Failed, "leader 9",
		},
		{
			"too few replicas are in sync", func(r *kmsg.MetadataResponse) { topic(r, "events").Partitions[2].ISR = []int32{2} },
			func(c *kafka.Cluster) { c.MinInSync = 2 }, verdict.Failed, "1: [2] of replicas [0 1 2]",
		},
		{
			"a replica in sync is on a broker that is gone", func(r *kmsg.MetadataResponse) { topic(r, "events").Partitions[2].ISR = []int32{2, 7} },
			func(c *kafka.Cluster) { c.MinInSync = 2 }, verdict.Failed, "1: [2]",
		},
		{"there is no controller", func(r *kmsg.MetadataResponse) { r.ControllerID = -1 }, nil, verdict.Failed, "controller -1"},
		{"the controller is none of the brokers", func(r *kmsg.MetadataResponse) { r.ControllerID = 9 }, nil, verdict.Failed, "controller 9"},
		{"a broker is missing", func(r *kmsg.MetadataResponse) { r.Brokers = slices.Clone(r.Brokers[:2]) }, nil, verdict.Failed, "2: [0 1]"},
		{
			"a broker gives an address where nobody answers", func(r *kmsg.MetadataResponse) { r.Brokers[2].Port = 1 }, nil,
			verdict.Failed, "refused",
		},
		{
			"a topic may not be looked at",
			func(r *kmsg.MetadataResponse) { topic(r, "orders").ErrorCode = kerr.TopicAuthorizationFailed.Code }, nil,
			verdict.Inconclusive, "TOPIC_AUTHORIZATION_FAILED",
		},
		{
			"a topic has no partitions", func(r *kmsg.MetadataResponse) { topic(r, "orders").Partitions = nil }, nil,
			verdict.Failed, "it has none",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := fake(t)
			metadata(t, c, tt.change)
			k := cluster(c)
			if tt.conf != nil {
				tt.conf(k)
			}
			f := k.Look(t.Context())
			if f.Verdict != tt.verdict || !strings.Contains(f.Seen, tt.seen) {
				t.Errorf("%s at %s: %q, want %s with %q (%v)", f.Verdict, f.Target, f.Seen, tt.verdict, tt.seen, f.Details)
			}
		})
	}
}

func TestARealConversation(t *testing.T) {
	t.Parallel()
	c := fake(t)
	k := cluster(c)
	if f := k.Look(t.Context()); f.Verdict != verdict.Passed {
		t.Errorf("a good cluster: %s %q", f.Verdict, f.Seen)
	}
	k.Topics = append(k.Topics, "not-there")
	if f := k.Look(t.Context()); f.Verdict != verdict.Failed || f.Target != "topic/not-there" {
		t.Errorf("a topic that is not there: %s %q at %q", f.Verdict, f.Seen, f.Target)
	}
	if f := k.Look(t.Context()); f.Verdict != verdict.Failed {
		t.Errorf("looking for a topic has created it: %s %q", f.Verdict, f.Seen)
	}
	k.Topics = nil
	if f := k.Look(t.Context()); f.Verdict != verdict.Passed {
		t.Errorf("no topics: %s %q", f.Verdict, f.Seen)
	}
}

func TestTheTopicsOwnMinimum(t *testing.T) {
	t.Parallel()
	c := fake(t)
	k := cluster(c)
	k.MinInSync = 0
	if f := k.Look(t.Context()); f.Verdict == verdict.Failed {
		t.Errorf("the default minimum is 1: %s %q", f.Verdict, f.Seen)
	}
	c.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		res := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, r := range req.(*kmsg.DescribeConfigsRequest).Resources {
			out := kmsg.NewDescribeConfigsResponseResource()
			out.ResourceType, out.ResourceName, out.ErrorCode = r.ResourceType, r.ResourceName, kerr.TopicAuthorizationFailed.Code
			res.Resources = append(res.Resources, out)
		}
		return res, nil, true
	})
	if f := k.Look(t.Context()); f.Verdict != verdict.Inconclusive || !strings.Contains(f.Hint, "DESCRIBE_CONFIGS") {
		t.Errorf("the minimum can not be read: %s %q", f.Verdict, f.Seen)
	}
}

// A broker that lags behind may not know the settings of a topic that is there.
func TestSettingsThatNobodyGives(t *testing.T) {
	t.Parallel()
	for _, answer := range []*kerr.Error{kerr.UnknownTopicOrPartition, nil} {
		c := fake(t)
		metadata(t, c, func(r *kmsg.MetadataResponse) { topic(r, "events").Partitions[0].ISR = nil })
		c.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			res := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
			for _, r := range req.(*kmsg.DescribeConfigsRequest).Resources {
				if answer != nil {
					out := kmsg.NewDescribeConfigsResponseResource()
					out.ResourceType, out.ResourceName, out.ErrorCode = r.ResourceType, r.ResourceName, answer.Code
					res.Resources = append(res.Resources, out)
				}
			}
			return res, nil, true
		})
		k := cluster(c)
		k.MinInSync = 0
		if f := k.Look(t.Context()); f.Verdict != verdict.Inconclusive || !strings.Contains(f.Expected, "min.insync.replicas") {
			t.Errorf("%v: %s, expected %q, seen %q", answer, f.Verdict, f.Expected, f.Seen)
		}
	}
}

func TestLogins(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "smoke", "geheim"))
	k := cluster(c)
	for _, tt := range []struct {
		mechanism, password string
		want                verdict.Verdict
	}{
		{"SCRAM-SHA-256", "geheim", verdict.Passed},
		{"SCRAM-SHA-256", "geheim-falsch", verdict.Inconclusive},
		{"PLAIN", "geheim-falsch", verdict.Inconclusive},
	} {
		var err error
		if k.SASL, err = kafka.Login(tt.mechanism, "smoke", tt.password); err != nil {
			t.Fatal(err)
		}
		f := k.Look(t.Context())
		if f.Verdict != tt.want {
			t.Errorf("%s: %s %q, want %s", tt.mechanism, f.Verdict, f.Seen, tt.want)
		}
		if strings.Contains(f.Seen, "geheim") {
			t.Errorf("a password is in the report: %s", f.Seen)
		}
	}
	if _, err := kafka.Login("GSSAPI", "", ""); err == nil {
		t.Error("GSSAPI was accepted")
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	hanging, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	for _, address := range []string{"127.0.0.1:1", hanging.Addr().String()} {
		d := &reach.Direct{}
		k := &kafka.Cluster{Brokers: []string{address}, MinBrokers: 1, Dial: d.Dial, Timeout: 300 * time.Millisecond}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		begun := time.Now()
		f := k.Look(ctx)
		cancel()
		if f.Verdict == verdict.Passed || time.Since(begun) > 20*time.Second {
			t.Errorf("%s: %s %q after %s", address, f.Verdict, f.Seen, time.Since(begun))
		}
	}
}
