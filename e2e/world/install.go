package world

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WebhookSecret is what Argo CD and the git host have in common.
const WebhookSecret = "lab-webhook-secret"

// install installs Argo CD as the README does, and Prometheus, and waits for them.
func (w *World) install(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "argocd"}}
	if _, err := w.Kube.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	changed, err := w.putSecret(ctx, "lab-credentials", w.Registry.env)
	if err != nil {
		return err
	}
	for _, folder := range []string{"argocd", "monitoring"} {
		if _, err := w.apply(ctx, folder); err != nil {
			return err
		}
	}
	if err := w.giveSecrets(ctx); err != nil {
		return err
	}
	if changed { // a kept cluster whose lab has begun anew
		if _, err := w.cluster.kube(ctx, "-n", "argocd", "rollout", "restart", "deployment/argocd-repo-server"); err != nil {
			return err
		}
	}
	for _, name := range []string{
		"deployment/argocd-redis", "deployment/argocd-repo-server", "statefulset/argocd-application-controller",
		"deployment/argocd-server", "deployment/argocd-notifications-controller",
	} {
		if err := w.rolledOut(ctx, "argocd", name); err != nil {
			return err
		}
	}
	if err := w.rolledOut(ctx, "monitoring", "deployment/prometheus"); err != nil {
		return err
	}
	w.Prometheus = &Prometheus{kube: w.Kube}
	w.ArgoCD, err = w.connectServer(ctx)
	return err
}

// giveSecrets fills the Secrets that Argo CD's installation makes empty: what the
// notifications name, and the webhook's.
func (w *World) giveSecrets(ctx context.Context) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	app := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if _, err := w.putSecret(ctx, "argocd-notifications-secret", map[string]string{
		"slack-token":       "xoxb-lab",
		"email-host":        "inbox.lab.svc",
		"email-from":        "argocd@example.com",
		"email-username":    "argocd",
		"email-password":    "unused",
		"github-appID":      "1",
		"github-privateKey": string(app), "github-installationID": "1",
	}); err != nil {
		return err
	}
	_, err = w.putSecret(ctx, "argocd-secret", map[string]string{"webhook.github.secret": WebhookSecret})
	return err
}

// putSecret sets keys of a Secret of Argo CD's namespace, others stay. It tells
// whether an existing value changed.
func (w *World) putSecret(ctx context.Context, name string, keys map[string]string) (changed bool, err error) {
	secrets := w.Kube.CoreV1().Secrets("argocd")
	s, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		s = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: keys}
		_, err = secrets.Create(ctx, s, metav1.CreateOptions{})
		return false, err
	}
	if err != nil {
		return false, err
	}
	for k := range maps.Keys(keys) {
		if old, ok := s.Data[k]; ok && string(old) != keys[k] {
			changed = true
		}
	}
	s.StringData = keys
	_, err = secrets.Update(ctx, s, metav1.UpdateOptions{})
	return changed, err
}
