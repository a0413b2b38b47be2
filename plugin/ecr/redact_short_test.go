package ecr

import "testing"

func TestTheSecretsOfEmulatorsDoNotSpoilWords(t *testing.T) {
	t.Parallel()
	r := &redactor{}
	r.add("test", "x", "localstack-secret")
	for text, want := range map[string]string{
		"the latest test at x":            "the latest test at x",
		"it says localstack-secret":       "it says " + redacted,
		"it says localstack-sec and more": "it says " + redacted + " and more",
	} {
		if got := r.hidden(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
