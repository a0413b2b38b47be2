package ecremulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// blobStore keeps a repository's configs and layers for go-containerregistry's
// registry, which speaks the upload protocol. There is one per repository
// because ECR shares no layers between them.
type blobStore struct{ repository *Repository }

var (
	_ registry.BlobHandler     = blobStore{}
	_ registry.BlobStatHandler = blobStore{}
	_ registry.BlobPutHandler  = blobStore{}
)

func newTransfer(r *Repository) http.Handler {
	return registry.New(registry.WithBlobHandler(blobStore{r}), registry.Logger(log.New(io.Discard, "", 0)))
}

func (s blobStore) get(h v1.Hash) ([]byte, error) {
	s.repository.mu.RLock()
	defer s.repository.mu.RUnlock()
	b, ok := s.repository.blobs[h.String()]
	if !ok {
		return nil, registry.ErrNotFound
	}
	return b, nil
}

// Get returns a blob's content.
func (s blobStore) Get(_ context.Context, _ string, h v1.Hash) (io.ReadCloser, error) {
	b, err := s.get(h)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Stat returns a blob's size.
func (s blobStore) Stat(_ context.Context, _ string, h v1.Hash) (int64, error) {
	b, err := s.get(h)
	return int64(len(b)), err
}

// Put stores a blob; the reader verifies its digest.
func (s blobStore) Put(_ context.Context, _ string, h v1.Hash, rc io.ReadCloser) error {
	b, err := io.ReadAll(rc)
	if err != nil {
		return fmt.Errorf("read blob: %w", err)
	}
	s.repository.mu.Lock()
	defer s.repository.mu.Unlock()
	s.repository.blobs[h.String()] = b
	return nil
}

// statusWriter notes the status that another handler answers with.
type statusWriter struct {
	http.ResponseWriter
	status int
	sent   int64
	cut    bool
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write cuts the connection in the middle of the first piece if it is to.
func (w *statusWriter) Write(b []byte) (int, error) {
	if !w.cut {
		n, err := w.ResponseWriter.Write(b)
		w.sent += int64(n)
		return n, err
	}
	_, _ = w.ResponseWriter.Write(b[:len(b)/2])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}
