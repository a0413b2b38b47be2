package world

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// forward opens local ports to a Pod's, until ctx ends, and gives the local
// addresses in the order of the ports.
func forward(ctx context.Context, config *rest.Config, namespace, selector string, ports ...int) ([]string, error) {
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
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	url := kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(running[0].Name).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	specs := make([]string, len(ports))
	for i, p := range ports {
		specs[i] = fmt.Sprintf("0:%d", p)
	}
	ready, failed := make(chan struct{}), make(chan error, 1)
	f, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, specs, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		return nil, err
	}
	go func() { failed <- f.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		return nil, fmt.Errorf("forward to %s in %s: %w", selector, namespace, err)
	}
	local, err := f.GetPorts()
	if err != nil {
		return nil, err
	}
	addresses := make([]string, len(local))
	for i, p := range local {
		addresses[i] = fmt.Sprintf("127.0.0.1:%d", p.Local)
	}
	return addresses, nil
}
