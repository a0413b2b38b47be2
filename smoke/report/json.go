package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/proerror77/nova-staging/smoke/verdict"
)

type jsonReport struct {
	APIVersion string                  `json:"apiVersion"`
	Kind       string                  `json:"kind"`
	Verdict    verdict.Verdict         `json:"verdict"`
	Class      verdict.Class           `json:"class"`
	ExitCode   int                     `json:"exitCode"`
	Namespace  string                  `json:"namespace"`
	Release    string                  `json:"release,omitempty"`
	Started    time.Time               `json:"started"`
	Seconds    float64                 `json:"seconds"`
	Partial    bool                    `json:"partial"`
	Counts     map[verdict.Verdict]int `json:"counts"`
	Results    []jsonResult            `json:"results"`
	Notes      []string                `json:"notes,omitempty"`
}

type jsonResult struct {
	Service  string          `json:"service,omitempty"`
	Check    verdict.Check   `json:"check"`
	Verdict  verdict.Verdict `json:"verdict"`
	Class    verdict.Class   `json:"class,omitempty"`
	Required bool            `json:"required"`
	Target   string          `json:"target,omitempty"`
	Expected string          `json:"expected,omitempty"`
	Seen     string          `json:"seen,omitempty"`
	Hint     string          `json:"hint,omitempty"`
	Details  []string        `json:"details,omitempty"`
	Logs     []string        `json:"logs,omitempty"`
	Looks    int             `json:"looks"`
	Started  *time.Time      `json:"started,omitempty"`
	Seconds  float64         `json:"seconds"`
}

// WriteJSON writes the report as one indented JSON document.
func WriteJSON(w io.Writer, r *Report) error {
	out := jsonReport{
		APIVersion: APIVersion, Kind: Kind, Verdict: r.Verdict, Class: r.Class, ExitCode: r.ExitCode(),
		Namespace: r.Namespace, Release: r.Release, Started: r.Started.UTC(), Seconds: r.Duration.Seconds(),
		Partial: r.Partial, Counts: r.Counts(), Results: []jsonResult{}, Notes: r.Notes,
	}
	for _, res := range r.Results {
		j := jsonResult{
			Service: res.Service, Check: res.Check, Verdict: res.Verdict, Required: !res.Optional,
			Target: res.Target, Expected: res.Expected, Seen: res.Seen, Hint: res.Hint,
			Details: res.Details, Logs: res.Logs, Looks: res.Looks, Seconds: res.Duration.Seconds(),
		}
		if c := res.ClassOf(); c != verdict.OK {
			j.Class = c
		}
		if !res.Started.IsZero() {
			t := res.Started.UTC()
			j.Started = &t
		}
		out.Results = append(out.Results, j)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("write the JSON report: %w", err)
	}
	return nil
}
