package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/proerror77/nova-staging/smoke/report"
	"github.com/proerror77/nova-staging/smoke/run"
)

// terminationLog is where the kubelet reads a container's last words.
const terminationLog = "/dev/termination-log"

// outputFiles are the files that a report goes to. They are opened before
// anything is looked at, so that a wrong path is known at once.
type outputFiles struct {
	list []outputFile
}

type outputFile struct {
	name  string
	file  *os.File
	write func(io.Writer, *report.Report) error
}

func openOutputs(f *runFlags, env func(string) string) (*outputFiles, error) {
	o := &outputFiles{}
	open := func(name, what string, write func(io.Writer, *report.Report) error) error {
		if name == "" {
			return nil
		}
		file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
		if err != nil {
			return fmt.Errorf("open the %s: %w", what, err)
		}
		o.list = append(o.list, outputFile{name: name, file: file, write: write})
		return nil
	}
	err := errors.Join(open(f.jsonFile, "JSON report", report.WriteJSON), open(f.junitFile, "JUnit report", report.WriteJUnit))
	if err != nil {
		o.close()
		return nil, err
	}
	name := f.termination
	switch name {
	case "none":
		name = ""
	case "auto":
		name = ""
		if _, err := os.Stat(terminationLog); err == nil && env("KUBERNETES_SERVICE_HOST") != "" {
			name = terminationLog
		}
	}
	if err := open(name, "termination log", writeTermination); err != nil && f.termination != "auto" {
		o.close()
		return nil, err
	}
	return o, nil
}

func writeTermination(w io.Writer, r *report.Report) error {
	_, err := io.WriteString(w, report.Termination(r))
	return err
}

func (o *outputFiles) write(r *report.Report) error {
	var errs []error
	for _, f := range o.list {
		if err := f.write(f.file, r); err != nil {
			errs = append(errs, fmt.Errorf("write %s: %w", f.name, err))
		}
	}
	return errors.Join(errs...)
}

func (o *outputFiles) close() {
	for _, f := range o.list {
		f.file.Close()
	}
}

// print writes the report to stdout.
func (s *streams) print(output string, r *report.Report) error {
	switch output {
	case "json":
		return report.WriteJSON(s.out, r)
	case "junit":
		return report.WriteJUnit(s.out, r)
	}
	return report.WriteTable(s.out, r)
}

func (s *streams) newProgress(mode string) report.Progress {
	if mode == "auto" {
		mode = "lines"
		if f, ok := s.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			mode = "table"
		}
	}
	switch mode {
	case "none":
		return report.Silent{}
	case "table":
		return &report.Screen{W: s.err}
	}
	return &report.Lines{W: s.err}
}

// writeEvents writes Events within the part of the deadline kept for it, even
// after a signal.
func writeEvents(ctx context.Context, deadline time.Duration, c kubernetes.Interface, env func(string) string, r *report.Report) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), run.Reserve(deadline)/2)
	defer cancel()
	for _, e := range report.Events(r, report.Self{Pod: env("SMOKE_POD_NAME"), UID: env("SMOKE_POD_UID")}, time.Now()) {
		// An Event is a courtesy: that it could not be written changes nothing.
		if _, err := c.CoreV1().Events(r.Namespace).Create(ctx, e, metav1.CreateOptions{}); err != nil {
			return
		}
	}
}
