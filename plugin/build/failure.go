package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"sigs.k8s.io/kustomize/api/konfig"
)

// explainFailure turns an error of kustomize into one line that names the file
// and the reason. kustomize wraps an error at each level of its recursion, each
// time with the reason why the file would not do as a folder either.
func explainFailure(p place, last string, err error) error {
	f := failure{place: p, text: p.clean(err.Error()), folder: p.rel(p.dir)}
	f.unwrap()
	f.text = withoutEcho(f.text)
	text := withoutEcho(f.reason()) // again, should something have stayed wrapped
	if last != "" && !f.placed {
		text += " (the last file read was " + last + ")"
	}
	return fmt.Errorf("%w of %s: %s", ErrBuild, p.name(), oneLine(withoutCredentials(text)))
}

const maxText = 1500

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText]) + "…"
	}
	return s
}

// failure is a message of kustomize on the way to its reason.
type failure struct {
	place  place
	text   string
	folder string // of the kustomization that it is about, as named in messages
	placed bool   // the text says where
}

var (
	quotedRE   = regexp.MustCompile(`(?:accumulateDirectory: |loader\.New )"`)
	levelRE    = regexp.MustCompile(`^(?:accumulating (?:resources|components|generators|transformers): |loading generator plugins: |failed to load generator: |(?s:merging from generator &\{.*?\}: )|loading KV pairs: |(?:file|env) sources?(?: files)?: \[[^\]]*\]: |must build at directory: |not a valid directory: )`)
	notFileRE  = regexp.MustCompile(`^accumulation err='accumulating resources from '[^']*': '[^']*' must resolve to a file': `)
	notDirRE   = regexp.MustCompile(`(?s)^accumulation err='(.*)': must build at directory: '[^']*': file is not directory$`)
	neitherRE  = regexp.MustCompile(`(?s)^accumulation err='accumulating resources from '[^']*': evalsymlink failure .*': must build at directory: not a valid directory: `)
	folderRE   = regexp.MustCompile(`^(?:recursed accumulation of|recursed merging from|couldn't make target for) path '([^']*)': `)
	fileRE     = regexp.MustCompile(`^(?:accumulating|merging) resources from '([^']*)': `)
	configRE   = regexp.MustCompile("(?s)^trouble configuring builtin (\\w+) with config: `.*?\n`: ")
	pluginRE   = regexp.MustCompile(`^plugin (\S+) fails configuration: `)
	missingRE  = regexp.MustCompile(`evalsymlink failure on '([^']*)' : lstat .*: no such file or directory`)
	malformRE  = regexp.MustCompile(`^MalformedYAMLError: yaml: (.*?)(?: in File: (.*))?$`)
	belowRE    = regexp.MustCompile(`security; file '([^']*)' is not in or below '([^']*)'`)
	noFileRE   = regexp.MustCompile(`^unable to find one of .* in directory '([^']*)'`)
	cycleRE    = regexp.MustCompile(`^cycle detected: candidate root '([^']*)' contains visited root '([^']*)'`)
	patchRE    = regexp.MustCompile(`^unable to parse SM or JSON patch from \[path: "(.*)"\]`)
	loadRE     = regexp.MustCompile(`^failed to get the patch file from path\([^)]*\): `)
	externalRE = regexp.MustCompile(`external plugins disabled; unable to load external plugin '([^']*)'`)
	typeRE     = regexp.MustCompile(`json: cannot unmarshal (\w+) into Go struct field (?:Kustomization\.)?(\S+) of type (\S+)`)
	objectRE   = regexp.MustCompile(`(?s) in object \{\{.*\}\}`)
)

// unwrap removes what kustomize put around the reason, and keeps the folder.
func (f *failure) unwrap() {
	for before := ""; before != f.text; {
		before = f.text
		f.text = strings.TrimSpace(f.text)
		if at := quotedRE.FindStringIndex(f.text); at != nil && at[0] == 0 {
			if inner, err := strconv.Unquote(f.text[at[1]-1:]); err == nil {
				f.text = inner
			}
		}
		f.text = levelRE.ReplaceAllString(f.text, "")
		f.text = notFileRE.ReplaceAllString(f.text, "")
		f.text = notDirRE.ReplaceAllString(f.text, "$1")
		f.text = neitherRE.ReplaceAllString(f.text, "")
		f.text = configRE.ReplaceAllString(f.text, "")
		f.text = loadRE.ReplaceAllString(f.text, "")
		f.text = pluginRE.ReplaceAllString(f.text, "")
		if m := folderRE.FindStringSubmatch(f.text); m != nil {
			f.folder, f.text = m[1], f.text[len(m[0]):]
		}
	}
}

// reason says in plain words what is left, and where.
func (f *failure) reason() string {
	var file string
	if m := fileRE.FindStringSubmatch(f.text); m != nil {
		file, f.text = filepath.Join(f.folder, m[1]), f.text[len(m[0]):]
	}
	text := strings.NewReplacer("\n", " ", ".[noGrp]", "", ".[noNs]", "", "error unmarshaling JSON: while decoding JSON: ", "", "json: unknown field", "unknown field").Replace(f.text)
	text = objectRE.ReplaceAllString(text, "")
	text = typeRE.ReplaceAllString(text, "$2 holds a $1, want $3")
	f.placed = true
	if m := missingRE.FindStringSubmatch(text); m != nil {
		if strings.ContainsAny(m[1], "{}") || strings.Contains(m[1], ": ") {
			return f.kustomization() + " has an inline patch under patchesStrategicMerge that is no object with apiVersion, kind and metadata.name"
		}
		return fmt.Sprintf("%s does not exist, and %s names it", m[1], f.kustomization())
	}
	if m := belowRE.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s names the file %s, and only files in or below %s are read: name the file's folder, and give that a kustomization of its own", f.kustomization(), m[1], m[2])
	}
	if m := malformRE.FindStringSubmatch(text); m != nil {
		if file == "" && m[2] != "" {
			file = filepath.Join(f.folder, m[2])
		}
		if exact := f.malformed(file); exact != "" {
			return exact
		}
		return f.at(file, "invalid YAML: "+m[1])
	}
	if m := patchRE.FindStringSubmatch(text); m != nil {
		file = filepath.Join(f.folder, m[1])
		if exact := f.malformed(file); exact != "" {
			return exact
		}
		return f.at(file, "it is neither a strategic merge patch nor a JSON patch")
	}
	if m := noFileRE.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s has no kustomization.yaml", m[1])
	}
	if m := cycleRE.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("a cycle: %s includes %s, which is or contains %s, and that is being built", f.kustomization(), m[1], m[2])
	}
	if m := externalRE.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s uses the plugin %s, and only kustomize's own generators and transformers are run here", f.kustomization(), m[1])
	}
	if strings.Contains(text, "must specify --enable-helm") {
		return f.kustomization() + " uses a Helm chart, and no Helm is run here: render the chart into the repository"
	}
	if rest, found := strings.CutPrefix(text, "invalid Kustomization: "); found {
		file, text = f.kustomization(), strings.TrimPrefix(rest, "yaml: ")
	}
	for _, r := range rewrites {
		if r.re.MatchString(text) {
			text = r.re.ReplaceAllString(text, strings.ReplaceAll(r.text, "KUSTOMIZATION", f.kustomization()))
			if strings.Contains(r.text, "KUSTOMIZATION") {
				return text
			}
		}
	}
	if file != "" || f.folder != f.place.rel(f.place.dir) {
		return f.at(file, text)
	}
	f.placed = false
	return text
}

// rewrites are messages of kustomize that say little to whoever does not know it.
var rewrites = []struct {
	re   *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`^kustomization.yaml is empty$`), "KUSTOMIZATION is empty"},
	{regexp.MustCompile(`^new root cannot be empty$`), "KUSTOMIZATION lists an empty path"},
	{regexp.MustCompile(`^Failed to read kustomization file under [^:]*: *`), "KUSTOMIZATION: "},
	{regexp.MustCompile(`^Found multiple kustomization files under: .*$`), "KUSTOMIZATION is not the only kustomization file in its folder: keep one"},
	{regexp.MustCompile(`^expected kind 'Component' for path '([^']*)' but got '([^']*)'$`), "the kustomization in $1 is listed under components and its kind is $2, want Component"},
	{regexp.MustCompile(`^expected kind != 'Component' for path '([^']*)'$`), "the kustomization in $1 is a Component: list it under components"},
	{regexp.MustCompile(`^may not add resource with an already registered id: (.*)$`), "the object $1 is there a second time"},
	{regexp.MustCompile(`^(no resource matches strategic merge patch "[^"]*"): .*$`), "$1"},
	{regexp.MustCompile(`^kustomize panicked: invalid schema file: `), "the schema under openapi is invalid: "},
	{regexp.MustCompile(`^missing Resource metadata$`), "it holds something that is no Kubernetes object: metadata is missing"},
	{regexp.MustCompile(`^id resid\.ResId\{.*Kind:"([^"]*)".*Name:"([^"]*)".*\} does not exist; cannot merge or replace`), "there is no $1 $2 to merge with or to replace"},
	{regexp.MustCompile(`want \[\]string$`), "want a list of strings"},
	{regexp.MustCompile(`want \[\]\S+$`), "want a list"},
}

// at says where something is: in a file, or in a kustomization below the one that
// is built.
func (f *failure) at(file, text string) string {
	if file != "" {
		return file + ": " + text
	}
	return "in " + f.folder + ": " + text
}

// kustomization is the file that the failure is about.
func (f *failure) kustomization() string {
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		if _, err := os.Stat(f.place.abs(filepath.Join(f.folder, name))); err == nil {
			return filepath.Join(f.folder, name)
		}
	}
	return "the kustomization in " + f.folder
}

// malformed gives the YAML error of a file with the line in the file: that of
// kustomize counts from the beginning of the document.
func (f *failure) malformed(file string) string {
	data, err := os.ReadFile(f.place.abs(file))
	if err != nil || len(data) > maxFile {
		return ""
	}
	offset := 0
	for _, d := range documents(data) {
		var n yaml.Node
		if err := yaml.NewDecoder(bytes.NewReader(d)).Decode(&n); err != nil && !errors.Is(err, io.EOF) {
			text := strings.TrimPrefix(err.Error(), "yaml: ")
			line := 1
			if bad := invalidUTF8(d); bad >= 0 {
				line += bytes.Count(d[:bad], []byte("\n"))
			}
			if rest, found := strings.CutPrefix(text, "line "); found {
				number, reason, _ := strings.Cut(rest, ": ")
				if n, err := strconv.Atoi(number); err == nil {
					line, text = n, reason
				}
			}
			return fmt.Sprintf("%s:%d: invalid YAML: %s", file, offset+line, text)
		}
		offset += bytes.Count(d, []byte("\n"))
	}
	return ""
}

// invalidUTF8 is where the first invalid byte stands, or -1.
func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}
