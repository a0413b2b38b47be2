// Command argocd answers what Argo CD would do with a configuration, by the
// libraries that Argo CD itself uses. It needs no cluster, and sends nothing.
//
//	go run . notifications <question.json
//	go run . rbac <question.json
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	answer := map[string]func(io.Reader) (any, error){"notifications": notifications, "rbac": rbac}
	if len(os.Args) != 2 || answer[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "argocd: which question? valid ones are: notifications, rbac; it is read from standard input")
		os.Exit(2)
	}
	result, err := answer[os.Args[1]](os.Stdin)
	if err == nil {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(result)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "argocd: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// read decodes a question and refuses what it does not know.
func read(in io.Reader, into any) error {
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read the question: %w", err)
	}
	return nil
}
