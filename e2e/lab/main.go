// Command lab is what a test cluster has in place of AWS and Kafka: the ECR
// emulator with its API and registry, an SQS queue that hears of every push, and
// brokers that speak Kafka's protocol.
// A small API of its own lets the tests break it on purpose.
//
// It listens on :5000 (the APIs of ECR and SQS, and the registry), :5001 (the tests' API) and,
// on the Pod's address, :9092 to :9094 (Kafka).
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	// Nodes pull without a password: kind's have no credential provider.
	e := ecremulator.New(ecremulator.WithAnonymousPull())
	registry, err := e.CreateRegistry(novaworld.Account, novaworld.Region)
	if err != nil {
		return err
	}
	for _, name := range append([]string{novaworld.Smoke}, novaworld.Repositories()...) {
		if _, err := registry.CreateRepository(name); err != nil {
			return err
		}
	}
	queue, err := e.CreateQueue(novaworld.Account, novaworld.Region, "nova-trigger", ecremulator.QueueOptions{})
	if err != nil {
		return err
	}
	e.EmitTo(queue)
	brokers, err := startKafka(os.Getenv("POD_IP"))
	if err != nil {
		return err
	}
	defer brokers.Close()
	log.Printf("kafka brokers: %s", strings.Join(brokers.ListenAddrs(), ", "))

	servers := []*http.Server{
		{Addr: ":5000", Handler: e, ReadHeaderTimeout: 10 * time.Second},
		{Addr: ":5001", Handler: (&control{emulator: e, queue: queue}).handler(), ReadHeaderTimeout: 10 * time.Second},
	}
	failed := make(chan error, len(servers))
	for _, s := range servers {
		go func() { failed <- s.ListenAndServe() }()
		context.AfterFunc(ctx, func() { _ = s.Close() })
	}
	log.Printf("serving ECR registry %s", registry.Host())
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startKafka serves three brokers with one topic, on an address that other Pods
// reach: brokers advertise what they listen on.
func startKafka(ip string) (*kfake.Cluster, error) {
	if net.ParseIP(ip) == nil {
		return nil, fmt.Errorf("POD_IP=%q is no address: set it from status.podIP", ip)
	}
	c, err := kfake.NewCluster(
		kfake.Ports(9092, 9093, 9094),
		kfake.SeedTopics(3, "nova-events"),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return net.Listen(network, net.JoinHostPort(ip, port))
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	return c, nil
}
