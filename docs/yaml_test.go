package docs_test

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/proerror77/nova-staging/plugin/policy"
	"github.com/proerror77/nova-staging/smoke/config"
)

// block is a fenced block with its language, indented as in a list or not.
var block = regexp.MustCompile("(?ms)^( *)```(\\w+)\\n(.*?)^ *```$")

// blocks of a language on a page, without their indentation.
func blocks(p page, language string) []string {
	var out []string
	for _, m := range block.FindAllStringSubmatch(p.text, -1) {
		if m[2] == language {
			out = append(out, strings.TrimPrefix(strings.ReplaceAll("\n"+m[3], "\n"+m[1], "\n"), "\n"))
		}
	}
	return out
}

func TestEveryYAMLBlockIsReadByWhatItIsFor(t *testing.T) {
	t.Parallel()
	policies, smokes := 0, 0
	for _, p := range all(t) {
		for _, text := range blocks(p, "yaml") {
			var err error
			switch {
			case strings.Contains(text, "\nkind: "+policy.Kind+"\n"):
				policies++
				_, err = policy.Parse(p.name, []byte(text))
			case strings.Contains(text, "\nkind: SmokeTest\n"):
				smokes++
				_, err = config.Parse(p.name, []byte(text))
			default:
				err = documents([]byte(text))
			}
			if err != nil {
				t.Errorf("%s: %v in\n%s", p.name, err, text)
			}
		}
	}
	if policies < 10 || smokes < 1 {
		t.Errorf("%d images.yaml and %d smoke configs were read: is the test still finding them?", policies, smokes)
	}
}

func documents(text []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	for n := 0; ; n++ {
		var v any
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case err != nil:
			return err
		case v == nil:
			return errors.New("an empty document")
		}
	}
}
