package build

import (
	"bytes"
	"io"
	"log"
	"os"
	"slices"
	"strings"
)

// capture runs f and gives the lines that it printed on os.Stderr and through
// package log, each once. kustomize warns there, and Argo CD would show those
// warnings as part of an error that they have nothing to do with. kustomize also
// ends the process through package log: that becomes a panic.
func capture(f func()) []string {
	r, w, err := os.Pipe()
	if err != nil {
		f()
		return nil
	}
	var text bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&text, r)
	}()
	func() {
		stderr, writer, flags := os.Stderr, log.Writer(), log.Flags()
		defer func() {
			os.Stderr = stderr
			log.SetOutput(writer)
			log.SetFlags(flags)
			_ = w.Close()
			<-read
			_ = r.Close()
		}()
		os.Stderr = w
		log.SetOutput(logged{w})
		log.SetFlags(0) // no time: a warning is the same each time
		f()
	}()
	var lines []string
	for line := range strings.SplitSeq(text.String(), "\n") {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// fatal is the text of a log.Fatal.
type fatal string

// logged is the output of package log.
type logged struct{ io.Writer }

func (l logged) Write(p []byte) (int, error) {
	if calledBy("log.Fatal") {
		panic(fatal(p))
	}
	return l.Writer.Write(p)
}
