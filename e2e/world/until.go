package world

import (
	"context"
	"fmt"
	"time"
)

// until polls often until look says that it is so. The error says what was waited
// for and what look said last.
func until(ctx context.Context, limit time.Duration, what string, look func(context.Context) (ok bool, seen string)) error {
	return untilEach(ctx, 200*time.Millisecond, limit, what, look)
}

func untilEach(ctx context.Context, pause, limit time.Duration, what string, look func(context.Context) (ok bool, seen string)) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, seen := look(limited)
		if ok {
			return nil
		}
		select {
		case <-limited.Done():
			return fmt.Errorf("waited %s until %s; last seen: %s", limit, what, seen)
		case <-time.After(pause):
		}
	}
}
