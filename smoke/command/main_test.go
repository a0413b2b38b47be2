package command_test

import (
	"testing"

	"github.com/proerror77/nova-staging/internal/waiting"
)

// TestMain lets many tests run at once: most of them wait for something to time out.
func TestMain(m *testing.M) { waiting.Main(m, 16) }
