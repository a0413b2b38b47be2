package world

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/proerror77/nova-staging/smoke/reach"
)

// forward opens local ports to a Pod's, until ctx ends, and gives the local
// addresses in the order of the ports. Each connection has a tunnel of its own: in one
// that is shared, as kubectl's is, a client that goes away in the middle of an answer
// blocks all others.
func forward(ctx context.Context, config *rest.Config, namespace, selector string, ports ...int32) ([]string, error) {
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	pods, err := kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	// One that a kept cluster's last image has left may be ending still.
	running := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(running) != 1 {
		return nil, fmt.Errorf("forward to %s in %s: want one Pod, found %d", selector, namespace, len(running))
	}
	tunnels, err := reach.NewTunnels(config)
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, port := range ports {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("forward to %s in %s: %w", selector, namespace, err)
		}
		context.AfterFunc(ctx, func() { _ = listener.Close() })
		go serveForward(listener, func() (net.Conn, error) { return tunnels.Dial(ctx, namespace, running[0].Name, port) })
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// serveForward joins each connection to one that dial makes.
func serveForward(listener net.Listener, dial func() (net.Conn, error)) {
	for {
		here, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			there, err := dial()
			if err != nil {
				_ = here.Close() // the client sees its connection end
				return
			}
			join(here, there)
		}()
	}
}

// join passes on what each end says until one of them ends, and closes both: HTTP and
// TLS are spoken here, nobody goes on with half a connection.
func join(here, there net.Conn) {
	ended := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{here, there}, {there, here}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			ended <- struct{}{}
		}()
	}
	<-ended
	_, _ = here.Close(), there.Close()
}
