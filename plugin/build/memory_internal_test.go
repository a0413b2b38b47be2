package build

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestABuildMayHoldWhatGOMEMLIMITSaysOrAPartOfItsContainer(t *testing.T) {
	t.Parallel()
	const unset = math.MaxInt64
	tests := []struct {
		name  string
		limit int64
		files map[string]string
		want  uint64
	}{
		{"GOMEMLIMIT", 200 << 20, map[string]string{"memory.max": "1073741824\n"}, 200 << 20},
		{"GOMEMLIMIT beyond the default", 8 << 30, nil, 8 << 30},
		{"a container of 1 GiB", unset, map[string]string{"memory.max": "1073741824\n"}, 1 << 30 / 5},
		{"the same in version 1", unset, map[string]string{"memory/memory.limit_in_bytes": "1073741824\n"}, 1 << 30 / 5},
		{"a large container", unset, map[string]string{"memory.max": "68719476736\n"}, maxMemory},
		{"a container without a limit", unset, map[string]string{"memory.max": "max\n"}, maxMemory},
		{"the same in version 1", unset, map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, maxMemory},
		{"no container", unset, nil, maxMemory},
		{"a file that is none", unset, map[string]string{"memory.max": "", "memory/memory.limit_in_bytes": "-1\n"}, maxMemory},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for name, text := range tt.files {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := mayHold(tt.limit, containerLimit(root)); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
