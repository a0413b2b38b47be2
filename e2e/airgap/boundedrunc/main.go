// Command boundedrunc runs runc with no capability asked for that this process
// could not have anyway. A container's --privileged, which kind's nodes need,
// asks for every capability; where the machine itself was started without some
// of them, runc refuses with "unable to apply caps: operation not permitted".
// It is a runtime for dockerd: engine.sh installs it on such machines only.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "boundedrunc:", err)
		os.Exit(1)
	}
}

// run takes runc's arguments and returns only if runc could not be started.
func run(args []string) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Errorf("reading the capability bounding set: %w", err)
	}
	bounds, err := parseBounds(string(status))
	if err != nil {
		return err
	}
	for _, spec := range findSpecs(args) {
		if err := spec.limit(bounds); err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return fmt.Errorf("looking for runc: %w", err)
	}
	if err := syscall.Exec(runc, append([]string{runc}, args...), os.Environ()); err != nil {
		return fmt.Errorf("starting %s: %w", runc, err)
	}
	return nil
}
