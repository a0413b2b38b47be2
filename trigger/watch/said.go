package watch

import (
	"sync"
	"time"
)

// said keeps a log readable: what was said once is not said again, or not for a
// while.
type said struct {
	mu   sync.Mutex
	when map[string]time.Time
}

// maxSaid bounds the memory; when it is full everything may be said again.
const maxSaid = 10_000

func newSaid() *said { return &said{when: map[string]time.Time{}} }

func (s *said) once(key string, say func()) { s.every(24*time.Hour, key, say) }

func (s *said) every(d time.Duration, key string, say func()) {
	now := time.Now()
	s.mu.Lock()
	if last, ok := s.when[key]; ok && now.Sub(last) < d {
		s.mu.Unlock()
		return
	}
	if len(s.when) >= maxSaid {
		clear(s.when)
	}
	s.when[key] = now
	s.mu.Unlock()
	say()
}
