package doom

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/proerror77/nova-staging/smoke/redact"
)

// What is read of a log at most.
const (
	MaxLines   = 15
	maxLine    = 300 // characters kept of one line
	maxBytes   = 16 << 10
	logTimeout = 3 * time.Second
)

// Logs reads the last lines of the container a sign is about, redacted. Where
// there is no container or the log can not be read, it gives one line saying so.
func Logs(ctx context.Context, pods typedcorev1.PodInterface, s Sign) []string {
	if s.Container == "" || s.kind == pull || s.kind == create || s.kind == now {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	read := func(previous bool) ([]byte, error) {
		tail, limit := int64(MaxLines), int64(maxBytes)
		return pods.GetLogs(s.Pod, &corev1.PodLogOptions{
			Container: s.Container, TailLines: &tail, LimitBytes: &limit, Previous: previous,
		}).DoRaw(ctx)
	}
	data, err := read(s.Previous)
	if s.Previous && (err != nil || len(bytes.TrimSpace(data)) == 0) {
		if again, err2 := read(false); err2 == nil {
			data, err = again, nil
		}
	}
	if err != nil {
		return []string{redact.Line(fmt.Sprintf("(the log could not be read: %v)", err))}
	}
	return Tail(data)
}

// Tail cuts a log down to its last lines, each bounded and redacted.
func Tail(data []byte) []string {
	var lines []string
	scan := bufio.NewScanner(bytes.NewReader(data))
	scan.Buffer(nil, maxBytes+1)
	secret := redact.Scanner{}
	for scan.Scan() {
		line := secret.Line(scan.Text())
		if r := []rune(line); len(r) > maxLine {
			line = string(r[:maxLine]) + "…"
		}
		lines = append(lines, line)
	}
	if len(lines) > MaxLines {
		lines = lines[len(lines)-MaxLines:]
	}
	return lines
}
