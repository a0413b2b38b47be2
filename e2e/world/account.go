package world

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"

	"github.com/proerror77/nova-staging/internal/novaworld"
)

// Account is one of AWS's, with an ECR registry.
type Account struct {
	// ID has twelve digits.
	ID string
	// env are an administrator's credentials.
	env map[string]string
}

// Host is the name that its images begin with.
func (a Account) Host() string {
	return a.ID + ".dkr.ecr." + novaworld.Region + ".amazonaws.com"
}

// NovaAccount is the one whose images the suite builds.
func (w *World) NovaAccount() Account { return Account{ID: novaworld.Account, env: w.Registry.env} }

// NewAccount opens an account without repositories. Nodes pull from it.
func (w *World) NewAccount(ctx context.Context) (Account, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1e12))
	if err != nil {
		return Account{}, err
	}
	a := Account{ID: fmt.Sprintf("%012d", n)}
	body, err := w.Registry.ask(ctx, http.MethodPost, "/accounts", fmt.Appendf(nil, "{%q: %q}", "account", a.ID))
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(body, &a.env); err != nil {
		return a, err
	}
	return a, w.cluster.mirrorRegistry(ctx, a.Host())
}

// Env are the administrator's credentials, as NAME=value.
func (a Account) Env() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(a.env)) {
		env = append(env, name+"="+a.env[name])
	}
	return env
}
