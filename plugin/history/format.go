package history

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// checkFormat refuses a repository whose config announces a format that would
// be misread.
func checkFormat(common string) error {
	data, err := readFile(common, "config", maxListFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // git takes this for version 0, too
	}
	if err != nil {
		return err
	}
	return parseConfig(string(data)).check()
}

// config holds the settings that have a say in the format, keys in lower case.
type config struct {
	version    string
	extensions map[string]string
}

// check reports the first reason not to read the repository.
func (c config) check() error {
	version, err := strconv.Atoi(c.version)
	if c.version != "" && err != nil {
		return fmt.Errorf("%w: core.repositoryformatversion is %q", ErrCorrupt, c.version)
	}
	if version < 0 || version > 1 {
		return fmt.Errorf("%w: core.repositoryformatversion is %d, only 0 and 1 are known", ErrUnsupported, version)
	}
	if v := c.extensions["objectformat"]; v != "" && v != "sha1" {
		return fmt.Errorf("%w: objects are named by %q, only sha1 is read: clone the repository from one created with --object-format=sha1", ErrUnsupported, v)
	}
	if v := c.extensions["refstorage"]; v != "" && v != "files" {
		return fmt.Errorf("%w: references are stored as %q: convert them with `git refs migrate --ref-format=files`", ErrUnsupported, v)
	}
	if version == 0 {
		return nil // as git does: extensions count from version 1 on
	}
	for name := range c.extensions {
		if !slices.Contains(harmless, name) {
			return fmt.Errorf("%w: extension %q is not known: a newer release may read it", ErrUnsupported, name)
		}
	}
	return nil
}

// harmless are the extensions that change nothing for a reader of commits, and
// those whose value check has looked at.
var harmless = []string{
	"compatobjectformat", "noop", "noop-v1", "objectformat", "partialclone", "preciousobjects",
	"refstorage", "relativeworktrees", "submodulepathconfig", "worktreeconfig",
}

// parseConfig picks the settings out of a git config. It is lenient: what git
// would call a syntax error is skipped.
func parseConfig(text string) config {
	c := config{extensions: map[string]string{}}
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\\\n", "")
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, line, _ = strings.Cut(name, "]")
			section = strings.ToLower(strings.TrimSpace(name))
			line = strings.TrimSpace(line)
		}
		key, value, _ := strings.Cut(line, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if key == "" || key[0] == '#' || key[0] == ';' {
			continue
		}
		switch section {
		case "core":
			if key == "repositoryformatversion" {
				c.version = configValue(value)
			}
		case "extensions":
			key, _, _ = strings.Cut(key, " ") // "noop # a comment" has no value
			c.extensions[key] = configValue(value)
		}
	}
	return c
}

// configValue drops comments, quotes and the space around a value.
func configValue(raw string) string {
	var out strings.Builder
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 < len(raw):
			i++
			out.WriteByte(raw[i])
		case !quoted && (c == '#' || c == ';'):
			return strings.TrimSpace(out.String())
		default:
			out.WriteByte(c)
		}
	}
	return strings.TrimSpace(out.String())
}
