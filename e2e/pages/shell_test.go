package pages

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestShell(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		blocks []string
		want   Result
	}{
		{"variables last, exported or not", []string{"a=1\nexport b=2", "sh -c 'echo $a$b'"}, Result{"12\n", "", 0}},
		{"the folder lasts", []string{"mkdir -p 'x y' && cd 'x y'", "basename \"$PWD\""}, Result{"x y\n", "", 0}},
		{"values keep their quotes and lines", []string{"a=\"it's\n two\"", "echo \"$a\""}, Result{"it's\n two\n", "", 0}},
		{"it ends at the first command that fails", []string{"echo a; false\necho b"}, Result{"a\n", "", 1}},
		{"also within a pipe", []string{"false | cat\necho b"}, Result{"", "", 1}},
		{"a block that failed has kept its variables", []string{"a=1; false", "echo $a"}, Result{"1\n", "", 0}},
		{"what it complains of is kept apart", []string{"echo a; echo b >&2; exit 3"}, Result{"a\n", "b\n", 3}},
		{"nobody answers", []string{"read -r x || echo none"}, Result{"none\n", "", 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s, err := NewShell(t.TempDir(), dir)
			if err != nil {
				t.Fatal(err)
			}
			var got Result
			for _, b := range tt.blocks {
				if got, err = s.Run(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			if got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestShellEndsWhatItHasStarted(t *testing.T) {
	t.Parallel()
	s, err := NewShell(t.TempDir(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.Run(ctx, "sh -c 'sleep 60; echo never'"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
	if d := time.Since(began); d > 20*time.Second {
		t.Errorf("it took %s", d)
	}
}
