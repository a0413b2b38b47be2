package world

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/proerror77/nova-staging/internal/novaworld"
)

// Registry is the ECR emulator in the cluster, as CI sees it: images are pushed
// by the registry protocol with a password of GetAuthorizationToken.
type Registry struct {
	// address is host:port of the API and the registry, control of the lab's own
	// API; see e2e/lab.
	address, control string
	// env are the credentials, as environment variables.
	env map[string]string
}

func connectRegistry(ctx context.Context, address, control string) (*Registry, error) {
	r := &Registry{address: address, control: control}
	body, err := r.ask(ctx, http.MethodGet, "/credentials", nil)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &r.env); err != nil {
		return nil, fmt.Errorf("read the lab's credentials: %w", err)
	}
	return r, nil
}

// Push pushes an image under tags.
func (r *Registry) Push(ctx context.Context, repository string, image v1.Image, tags ...string) error {
	auth, err := r.login(ctx)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		ref, err := name.NewTag(r.address + "/" + repository + ":" + tag)
		if err != nil {
			return err
		}
		if err := remote.Write(ref, image, remote.WithAuth(auth), remote.WithContext(ctx)); err != nil {
			return fmt.Errorf("push %s:%s: %w", repository, tag, err)
		}
	}
	return nil
}

func (r *Registry) login(ctx context.Context) (authn.Authenticator, error) {
	client := ecr.New(ecr.Options{
		Region:       novaworld.Region,
		BaseEndpoint: aws.String("http://" + r.address),
		Credentials:  credentials.NewStaticCredentialsProvider(r.env["AWS_ACCESS_KEY_ID"], r.env["AWS_SECRET_ACCESS_KEY"], ""),
	})
	out, err := client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return nil, fmt.Errorf("log in to the registry: %w", err)
	}
	text, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	if err != nil {
		return nil, fmt.Errorf("decode the registry's token: %w", err)
	}
	user, password, _ := strings.Cut(string(text), ":")
	return authn.FromConfig(authn.AuthConfig{Username: user, Password: password}), nil
}

// Fault breaks every call of ECR's API from now on, in one of the ways that
// e2e/lab knows, in place of an earlier fault.
func (r *Registry) Fault(ctx context.Context, kind string) error {
	body, err := json.Marshal(map[string]string{"kind": kind})
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, http.MethodPut, "/fault", body)
	return err
}

// Repair ends the fault.
func (r *Registry) Repair(ctx context.Context) error {
	_, err := r.ask(ctx, http.MethodDelete, "/fault", nil)
	return err
}

// Calls counts the calls of ECR's API since the emulator started.
func (r *Registry) Calls(ctx context.Context) (int, error) {
	body, err := r.ask(ctx, http.MethodGet, "/calls", nil)
	if err != nil {
		return 0, err
	}
	n := map[string]int{}
	if err := json.Unmarshal(body, &n); err != nil {
		return 0, err
	}
	return n["ecr"], nil
}

func (r *Registry) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.control+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the lab: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("ask the lab: %w", err)
	}
	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("ask the lab: %s %s: %s: %s", method, path, res.Status, answer)
	}
	return answer, nil
}
