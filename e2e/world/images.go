package world

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/proerror77/nova-staging/internal/novaworld"
)

// Ways in which a version of a service misbehaves; see e2e/service.
const (
	Well        = ""
	SaysDown    = "says-down"
	MetricsHTML = "metrics-html"
)

// services are the ports and health paths of the eight.
var services = map[string]struct {
	port   int
	health string
}{
	"auth-service":      {8084, "/health"},
	"user-service":      {8080, "/api/v1/health"},
	"content-service":   {8081, "/api/v1/health"},
	"media-service":     {8082, "/health"},
	"messaging-service": {3000, "/health"},
	"feed-service":      {8000, "/health"},
	"streaming-service": {8083, "/health"},
	"search-service":    {8086, "/health"},
}

// ko builds the images of the project's programs.
type ko struct{ settings Settings }

func (k ko) command(args ...string) command {
	return command{
		name: k.settings.Ko, args: append([]string{"build", "--platform=linux/" + runtime.GOARCH, "--sbom=none"}, args...),
		dir: k.settings.Root,
		env: []string{"VERSION=e2e", "COMMIT=e2e", "KO_CONFIG_PATH=" + k.settings.Root, "KO_DATA_DATE_EPOCH=0", "SOURCE_DATE_EPOCH=0"},
	}
}

// onNode builds packages straight into the cluster's node and gives their
// references, in the order of the packages.
func (k ko) onNode(ctx context.Context, packages ...string) ([]string, error) {
	c := k.command(append([]string{"--base-import-paths"}, packages...)...)
	c.env = append(c.env, "KO_DOCKER_REPO=kind.local", "KIND_CLUSTER_NAME="+k.settings.Cluster)
	out, err := c.run(ctx)
	if err != nil {
		return nil, err
	}
	refs := strings.Fields(out)
	if len(refs) != len(packages) {
		return nil, fmt.Errorf("ko build %s: want %d references, got %q", strings.Join(packages, " "), len(packages), out)
	}
	// ko prints them in the order in which they were built.
	ordered := make([]string, len(packages))
	for i, p := range packages {
		for _, ref := range refs {
			if strings.HasPrefix(ref, "kind.local/"+filepath.Base(p)+":") {
				ordered[i] = ref
			}
		}
		if ordered[i] == "" {
			return nil, fmt.Errorf("ko build %s: no reference for it in %q", p, out)
		}
	}
	return ordered, nil
}

// image builds one package as an image to push, whose layers stay in a folder.
func (k ko) image(ctx context.Context, pkg, dir string) (v1.Image, error) {
	c := k.command("--push=false", "--oci-layout-path="+dir, pkg)
	c.env = append(c.env, "KO_DOCKER_REPO=nova.invalid")
	if _, err := c.run(ctx); err != nil {
		return nil, err
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		return nil, err
	}
	index, err := path.ImageIndex()
	if err != nil {
		return nil, err
	}
	return firstImage(index)
}

func firstImage(index v1.ImageIndex) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, d := range manifest.Manifests {
		switch {
		case d.MediaType.IsImage():
			return index.Image(d.Digest)
		case d.MediaType.IsIndex():
			child, err := index.ImageIndex(d.Digest)
			if err != nil {
				return nil, err
			}
			return firstImage(child)
		}
	}
	return nil, fmt.Errorf("the index holds no image")
}

// serviceLayer compiles e2e/service into a layer. All services and versions
// share it: their images differ in their configuration.
func serviceLayer(ctx context.Context, s Settings) (v1.Layer, error) {
	dir, err := os.MkdirTemp("", "nova-e2e-service-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "service")
	build := command{
		name: "go", args: []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", binary, "./e2e/service"},
		dir: s.Root, env: []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + runtime.GOARCH},
	}
	if _, err := build.run(ctx); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "service", Mode: 0o755, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer))
}

// serviceImage is the image of one service at one version.
func serviceImage(layer v1.Layer, service, version, misbehave string) (v1.Image, error) {
	of := services[service]
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Created = v1.Time{Time: time.Unix(0, 0)}
	file.Config.Entrypoint = []string{"/service"}
	file.Config.User = "65532"
	file.Config.Env = []string{
		"SERVICE=" + service, "VERSION=" + version, "MISBEHAVE=" + misbehave,
		fmt.Sprintf("PORT=%d", of.port), "HEALTH_PATH=" + of.health,
	}
	return mutate.ConfigFile(image, file)
}

// PushSmoke pushes another build of smoke and gives the commit that it is tagged
// with.
func (w *World) PushSmoke(ctx context.Context) (string, error) {
	file, err := w.smoke.ConfigFile()
	if err != nil {
		return "", err
	}
	file = file.DeepCopy()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	file.Config.Labels = map[string]string{"built": now}
	image, err := mutate.ConfigFile(w.smoke, file)
	if err != nil {
		return "", err
	}
	sha := fmt.Sprintf("%x", sha1.Sum([]byte(now)))
	return sha, w.Registry.Push(ctx, novaworld.Smoke, image, sha)
}
