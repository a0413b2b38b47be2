package world

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Server is Argo CD's API server, as people and git hosts reach it.
type Server struct {
	address string // host:port
	admin   string // token
}

func (w *World) connectServer(ctx context.Context) (*Server, error) {
	local, err := forward(ctx, w.config(), "argocd", "app.kubernetes.io/name=argocd-server", 8080)
	if err != nil {
		return nil, err
	}
	s := &Server{address: local[0]}
	initial, err := w.Kube.CoreV1().Secrets("argocd").Get(ctx, "argocd-initial-admin-secret", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	var session struct{ Token string }
	body, err := s.ask(ctx, http.MethodPost, "/api/v1/session", map[string]string{
		"username": "admin", "password": string(initial.Data["password"]),
	})
	if err == nil {
		err = json.Unmarshal(body, &session)
	}
	if err != nil {
		return nil, fmt.Errorf("sign in to Argo CD: %w", err)
	}
	s.admin = session.Token
	return s, nil
}

// Token makes a token of an account in e2e/manifests/argocd/settings.yaml.
func (s *Server) Token(ctx context.Context, account string) (string, error) {
	var token struct{ Token string }
	body, err := s.ask(ctx, http.MethodPost, "/api/v1/account/"+account+"/token", map[string]any{"expiresIn": 3600})
	if err == nil {
		err = json.Unmarshal(body, &token)
	}
	if err != nil {
		return "", fmt.Errorf("make a token for %s: %w", account, err)
	}
	return token.Token, nil
}

// ask makes a request as the administrator, once signed in; an answer other than 200
// is an error.
func (s *Server) ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	status, answer, err := s.Do(ctx, s.admin, method, path, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s %s: %d: %s", method, path, status, answer)
	}
	return answer, err
}

// Do makes a request with a token, or none, and gives status and body of the
// answer.
func (s *Server) Do(ctx context.Context, token, method, path string, body any) (int, []byte, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return s.send(ctx, method, path, header, content)
}

// Webhook tells of a push to main as GitHub does, signed with a secret, and gives
// the answer's status.
func (s *Server) Webhook(ctx context.Context, secret, before, after string) (int, error) {
	body, err := json.Marshal(map[string]any{
		"ref": "refs/heads/main", "before": before, "after": after,
		"repository": map[string]any{"html_url": "http://git.lab.svc/proerror77/Nova", "default_branch": "main"},
		"commits":    []any{},
	})
	if err != nil {
		return 0, err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	status, _, err := s.send(ctx, http.MethodPost, "/api/webhook", http.Header{
		"Content-Type":        {"application/json"},
		"X-Github-Event":      {"push"},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}, body)
	return status, err
}

func (s *Server) send(ctx context.Context, method, path string, header http.Header, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask Argo CD: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}
