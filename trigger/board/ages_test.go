package board_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/trigger/board"
)

type describer func() (map[string]ecr.Image, error)

func (d describer) Describe(context.Context, ecr.Repository, []string) (map[string]ecr.Image, error) {
	return d()
}

// TestEachQuestionForAPushTimeIsCounted: without a poller these are trigger's only
// calls, and the alert on throttling looks at what is counted.
func TestEachQuestionForAPushTimeIsCounted(t *testing.T) {
	t.Parallel()
	const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	throttled := errors.New("slow down")
	answers := []error{throttled, nil}
	counted := make(chan error, len(answers))
	asked := 0
	ages := board.NewAges(describer(func() (map[string]ecr.Image, error) {
		asked++
		return map[string]ecr.Image{digest: {PushedAt: at}}, answers[asked-1]
	}), func(err error) { counted <- err }, slog.New(slog.DiscardHandler))
	go ages.Run(t.Context())
	for i, name := range []string{"auth", "user"} {
		image := board.Image{Name: "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com/nova/" + name, Digest: digest}
		if got := ages.Pushed(image); !got.IsZero() {
			t.Errorf("%s was pushed at %s, before anybody was asked", name, got)
		}
		if err := <-counted; !errors.Is(err, answers[i]) {
			t.Errorf("%s: counted as %v, want %v", name, err, answers[i])
		}
	}
}
