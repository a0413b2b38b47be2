// Package dashboard reads a Grafana dashboard, so that its queries can be asked
// without Grafana.
package dashboard

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Dashboard is what the tests look at of a dashboard in JSON, as Grafana exports it.
type Dashboard struct {
	UID         string `json:"uid"`
	Annotations struct {
		List []Target `json:"list"`
	} `json:"annotations"`
	Panels []Panel `json:"panels"`
}

// Panel is one graph, table or number.
type Panel struct {
	ID      int      `json:"id"`
	Title   string   `json:"title"`
	GridPos Place    `json:"gridPos"`
	Targets []Target `json:"targets"`
}

// Place is where a panel lies, in units of the grid, which is 24 wide.
type Place struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

// Target is a query in PromQL, with Grafana's variables.
type Target struct {
	Expr       string `json:"expr"`
	Datasource struct {
		UID string `json:"uid"`
	} `json:"datasource"`
}

// Query is a target with its variables set.
type Query struct {
	// Panel is its title, or "annotations".
	Panel string
	// Expr is PromQL.
	Expr string
}

// Read reads a dashboard from a file.
func Read(path string) (Dashboard, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Dashboard{}, fmt.Errorf("read the dashboard: %w", err)
	}
	var d Dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		return Dashboard{}, fmt.Errorf("read the dashboard %s: %w", path, err)
	}
	return d, nil
}

// Queries are all that it asks, annotations first, with rates over a window such as
// 5m and about the project nova.
func (d Dashboard) Queries(window string) []Query {
	variables := strings.NewReplacer("$__rate_interval", window, "$project", "nova")
	var all []Query
	add := func(panel string, targets []Target) {
		for _, t := range targets {
			if t.Expr != "" {
				all = append(all, Query{panel, variables.Replace(t.Expr)})
			}
		}
	}
	add("annotations", d.Annotations.List)
	for _, p := range d.Panels {
		add(p.Title, p.Targets)
	}
	return all
}
