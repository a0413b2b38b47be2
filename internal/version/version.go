// Package version says which build of the project this is.
package version

import (
	"runtime"
	"runtime/debug"
)

// Set by the release build with -ldflags "-X …"; otherwise the module's own
// build information is used.
var (
	version string
	commit  string
)

// Info is what every binary prints for its version subcommand.
type Info struct {
	Version  string `json:"version" yaml:"version"`
	Commit   string `json:"commit" yaml:"commit"`
	Modified bool   `json:"modified" yaml:"modified"`
	Go       string `json:"go" yaml:"go"`
	Platform string `json:"platform" yaml:"platform"`
}

// Get collects the build's information. Fields that the build did not record
// are "unknown".
func Get() Info {
	i := Info{Version: version, Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if bi, ok := debug.ReadBuildInfo(); ok {
		if i.Version == "" && bi.Main.Version != "" {
			i.Version = bi.Main.Version
		}
		for _, s := range bi.Settings {
			switch s.Key {
			case "vcs.revision":
				if i.Commit == "" {
					i.Commit = s.Value
				}
			case "vcs.modified":
				i.Modified = s.Value == "true"
			}
		}
	}
	if i.Version == "" {
		i.Version = "unknown"
	}
	if i.Commit == "" {
		i.Commit = "unknown"
	}
	return i
}

// String is one line: version, commit, Go version, platform.
func (i Info) String() string {
	dirty := ""
	if i.Modified {
		dirty = "-modified"
	}
	return i.Version + " (commit " + i.Commit + dirty + ", " + i.Go + ", " + i.Platform + ")"
}
