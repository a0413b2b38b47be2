package board

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
)

// Describer tells when images were pushed, by their digests.
type Describer interface {
	Describe(ctx context.Context, repo ecr.Repository, digests []string) (map[string]ecr.Image, error)
}

// Ages remembers when images were pushed. What it does not know it asks ECR
// about in the background, each image once: a digest's push time never changes.
// Make it with [NewAges].
type Ages struct {
	describer Describer
	count     func(error)
	log       *slog.Logger

	mu      sync.Mutex
	known   map[string]time.Time // by name@digest; zero when ECR could not say
	ask     chan Image
	refused bool
}

// maxAges bounds the memory.
const maxAges = 50_000

// NewAges makes one; without a describer it knows nothing. count is told how each call
// ended.
func NewAges(d Describer, count func(error), log *slog.Logger) *Ages {
	return &Ages{describer: d, count: count, log: log, known: map[string]time.Time{}, ask: make(chan Image, 256)}
}

// Pushed is when an image was pushed; zero while that is not known.
func (a *Ages) Pushed(i Image) time.Time {
	if a.describer == nil || i.Digest == "" {
		return time.Time{}
	}
	key := i.Name + "@" + i.Digest
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.known[key]
	if ok {
		return at
	}
	select {
	case a.ask <- i:
		if len(a.known) >= maxAges {
			clear(a.known)
		}
		a.known[key] = time.Time{} // asked once
	default: // another time
	}
	return time.Time{}
}

// Run asks ECR until ctx ends, a few images a second.
func (a *Ages) Run(ctx context.Context) {
	pace := time.NewTicker(200 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case i := <-a.ask:
			a.look(ctx, i)
		}
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

func (a *Ages) look(ctx context.Context, i Image) {
	repo, err := ecr.ParseRepository(i.Name)
	if err != nil {
		return // of another registry
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := a.describer.Describe(ctx, repo, []string{i.Digest})
	a.count(err)
	if err != nil {
		if !a.refused && ctx.Err() == nil {
			a.refused = true
			a.log.Info("the board shows no push times: ECR does not tell", "error", err)
		}
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[i.Name+"@"+i.Digest] = found[i.Digest].PushedAt
}
