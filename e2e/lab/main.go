// Command lab is what a test cluster has in place of AWS, Kafka, and the places where
// people are told: the ECR emulator with its API and registry, an SQS queue that
// hears of every push, brokers that speak Kafka's protocol, and an inbox for Slack,
// GitHub's commit statuses and mail.
// A small API of its own lets the tests break it on purpose.
//
// It listens on :5000 (the APIs of ECR and SQS, and the registry), :5001 (the tests'
// API), :5002 (Slack and GitHub), :5587 (SMTP) and, on the Pod's address, :9092 to
// :9094 (Kafka).
//
//	lab                    all of that
//	lab copy FILE          copies itself, for a container of another image
//	lab git ROOT PATH      serves a new git repository over HTTP on :8080
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

	"github.com/emersion/go-smtp"
	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sync/errgroup"

	"github.com/proerror77/nova-staging/internal/ecremulator"
	"github.com/proerror77/nova-staging/internal/novaworld"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 0:
		err = run(ctx)
	case len(args) == 2 && args[0] == "copy":
		err = copySelf(args[1])
	case len(args) == 3 && args[0] == "git":
		err = serveGit(ctx, args[1], args[2])
	default:
		err = fmt.Errorf("unknown arguments %q", args)
	}
	if err != nil {
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
	queue, err := e.CreateQueue(novaworld.Account, novaworld.Region, "nova-trigger", ecremulator.QueueOptions{Wait: 20 * time.Second})
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

	in := &inbox{}
	mail := smtp.NewServer(in)
	mail.Addr, mail.Domain = ":5587", "mail.lab.svc"
	context.AfterFunc(ctx, func() { _ = mail.Close() })

	g, ctx := errgroup.WithContext(ctx)
	for addr, handler := range map[string]http.Handler{
		":5000": e,
		":5001": (&control{emulator: e, queue: queue, inbox: in}).handler(),
		":5002": in.handler(),
	} {
		g.Go(func() error {
			return serve(ctx, &http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second})
		})
	}
	g.Go(func() error {
		if err := mail.ListenAndServe(); ctx.Err() == nil {
			return err
		}
		return nil
	})
	log.Printf("serving ECR registry %s", registry.Host())
	return g.Wait()
}

// serve serves until ctx ends.
func serve(ctx context.Context, s *http.Server) error {
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
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
