package command_test

import (
	"testing"

	"github.com/proerror77/nova-staging/internal/waiting"
)

// TestMain lets many tests run at once: nearly all of their time they wait for pushes to
// settle.
func TestMain(m *testing.M) { waiting.Main(m, 32) }
