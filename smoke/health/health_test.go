package health

import (
	"net/http"
	"strings"
	"testing"

	"github.com/proerror77/nova-staging/smoke/probe"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	const json, plain = "application/json", "text/plain; charset=utf-8"
	tests := []struct {
		name, contentType, body string
		rules                   Rules
		seen                    string // empty: a good answer
	}{
		{"nothing at all", "", "", Rules{}, ""},
		{"a word", plain, "ok", Rules{}, ""},
		{"a document", json, `{"status":"UP","components":{"db":{"status":"UP"}}}`, Rules{}, ""},
		{"a document that says that there is no error", json, `{"status":"ok","error":null,"errors":[]}`, Rules{}, ""},
		{"a document that counts errors", json, `{"status":"ok","errors":12}`, Rules{}, ""},
		{"a document that is degraded, which still serves", json, `{"status":"degraded"}`, Rules{}, ""},
		{"XML that is no page", "application/xml", `<?xml version="1.0"?><health>ok</health>`, Rules{}, ""},
		{"a document behind a byte order mark", json, "\ufeff" + `{"status":"UP"}`, Rules{JSON: map[string]string{"status": "UP"}}, ""},
		{"a document behind a byte order mark that says no, as text", plain, "\ufeff" + `{"status":"DOWN"}`, Rules{}, `field status is "DOWN"`},
		{"a word behind a byte order mark that says no", plain, "\ufeffDOWN", Rules{}, `it says "DOWN"`},
		{"a document as text that breaks off", plain, `{"status":"DOWN","checks":[`, Rules{}, "unexpected EOF"},
		{"a line of a log", plain, `[info] well`, Rules{}, ""},
		{"a cluster that is red", json, `{"status":"red"}`, Rules{}, `field status is "red"`},
		{"a word that says no", plain, "DOWN\n", Rules{}, `it says "DOWN"`},
		{"a JSON word that says no", json, `"unhealthy"`, Rules{}, `document is "unhealthy"`},
		{"a JSON false", json, `false`, Rules{}, `document is "false"`},
		{"a name in capitals", json, `{"Status":"Unhealthy"}`, Rules{}, `field Status is "Unhealthy"`},
		{"a document that is not ready", json, `{"status":"ok","ready":false}`, Rules{}, `field ready is "false"`},
		{"an error as a document", json, `{"error":"no route to upstream"}`, Rules{}, `field error is "no route to upstream"`},
		{"errors as GraphQL gives them", json, `{"data":null,"errors":[{"message":"boom"}]}`, Rules{}, `field errors`},
		{"a secret in the error is not shown", json, `{"error":"password=hunter2hunter2 refused"}`, Rules{}, `field error`},
		{"a status that the config judges itself", json, `{"status":"DOWN"}`, Rules{JSON: map[string]string{"status": "DOWN"}}, ""},
		{"a page as text that begins with a division", plain, `<div class="error">502</div>`, Rules{}, "HTML page"},
		{"a page as text that begins with its style", plain, "\n <style>b{}</style><b>oops</b>", Rules{}, "HTML page"},
		{"a page as text behind a comment", plain, "<!-- a proxy --><p>oops", Rules{}, "HTML page"},
		{"XHTML as text", plain, `<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html>`, Rules{}, "HTML page"},
		{"a page of nginx's as JSON", json, "<center><h1>502 Bad Gateway</h1></center>", Rules{}, "HTML page"},
		{"a page that is wanted", "text/html", "<html>status: fine</html>", Rules{ContentType: "text/html"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			expect, err := Compile(tt.rules)
			if err != nil {
				t.Fatal(err)
			}
			m := expect.Judge(probe.Answer{Status: 200, Header: http.Header{"Content-Type": {tt.contentType}}, Body: []byte(tt.body)})
			if (m == nil) != (tt.seen == "") {
				t.Fatalf("got %+v, want %q", m, tt.seen)
			}
			if m != nil && (!strings.Contains(m.Seen, tt.seen) || strings.Contains(m.Seen, "hunter2")) {
				t.Errorf("got %q, want %q", m.Seen, tt.seen)
			}
		})
	}
}

// A body that can not be read may say anything.
func TestAnEncodingThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	expect, err := Compile(Rules{})
	if err != nil {
		t.Fatal(err)
	}
	for encoding, good := range map[string]bool{"": true, "identity": true, "br": false, "deflate": false} {
		m := expect.Judge(probe.Answer{Status: 200, Header: http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {encoding}}, Body: []byte("\x0b\x02\x80DOW\x03")})
		if (m == nil) != good || (m != nil && !strings.Contains(m.Seen, encoding)) {
			t.Errorf("Content-Encoding %q: %+v", encoding, m)
		}
	}
}
