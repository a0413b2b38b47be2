package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

// control is the tests' own API:
//
//	GET    /credentials   environment variables that an SDK signs with
//	POST   /accounts      {"account": "111122223333"}: the same for an administrator of another account
//	GET    /calls         {"ecr": N, "oci": N, …}: calls answered since the start
//	PUT    /fault         {"kind": "throttle", "op": "", "repository": ""}: in place of all others
//	DELETE /fault
//	GET    /queue         {"messages": N}: what the queue nova-trigger holds
//	POST   /queue         the body becomes a message
//	PUT    /queue/order   {"duplicates": 0.3, "unordered": true}: as SQS may do
//	GET    /notices       [{"service", "to", "title", "text"}]: what people were told
//	DELETE /notices
type control struct {
	emulator *ecremulator.Emulator
	queue    *ecremulator.Queue
	inbox    *inbox
}

// faults are the kinds that tests ask for.
var faults = map[string]ecremulator.FaultKind{
	"throttle":       ecremulator.Throttle,
	"unavailable":    ecremulator.Unavailable,
	"cut-connection": ecremulator.CutConnection,
	"hang":           ecremulator.Hang,
	"expired-token":  ecremulator.ExpiredToken,
}

func (c *control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /credentials", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, c.emulator.Credentials().Env())
	})
	mux.HandleFunc("POST /accounts", c.postAccount)
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) {
		n := map[string]int{}
		for _, call := range c.emulator.Calls() {
			n[call.Service]++
		}
		answer(w, n)
	})
	mux.HandleFunc("PUT /fault", c.putFault)
	mux.HandleFunc("DELETE /fault", func(w http.ResponseWriter, _ *http.Request) {
		c.emulator.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /queue", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]int{"messages": c.queue.Len()})
	})
	mux.HandleFunc("POST /queue", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, map[string]string{"id": c.queue.Send(string(body))})
	})
	mux.HandleFunc("PUT /queue/order", c.putOrder)
	mux.HandleFunc("GET /notices", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.inbox.list()) })
	mux.HandleFunc("DELETE /notices", func(w http.ResponseWriter, _ *http.Request) {
		c.inbox.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func (c *control) postAccount(w http.ResponseWriter, r *http.Request) {
	var in struct{ Account string }
	if !decode(w, r, &in) {
		return
	}
	user, err := c.emulator.CreateUser(in.Account, "administrator")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, user.Env())
}

func (c *control) putOrder(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Duplicates float64
		Unordered  bool
	}
	if !decode(w, r, &in) {
		return
	}
	c.queue.SetDuplicates(in.Duplicates, 1)
	c.queue.SetUnordered(in.Unordered)
	w.WriteHeader(http.StatusNoContent)
}

// decode reads a request's body, or answers that it can not.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func (c *control) putFault(w http.ResponseWriter, r *http.Request) {
	var in struct{ Kind, Op, Repository string }
	if !decode(w, r, &in) {
		return
	}
	kind, ok := faults[in.Kind]
	if !ok {
		http.Error(w, fmt.Sprintf("unknown kind of fault %q", in.Kind), http.StatusBadRequest)
		return
	}
	c.emulator.ClearFaults()
	c.emulator.Inject(ecremulator.Fault{Kind: kind, Op: in.Op, Repository: in.Repository})
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
