package exposition

import (
	"bytes"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

const (
	text = "text/plain; version=0.0.4; charset=utf-8"
	om   = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

func TestPages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, contentType, page string
		problem                 string // empty: a good page
	}{
		{"a counter", text, "# TYPE a counter\na 1\n", ""},
		{"no final newline, which Prometheus takes", text, "a 1", ""},
		{"a gauge may be NaN", text, "# TYPE a gauge\na NaN\n", ""},
		{"names in quotes", "text/plain; version=1.0.0; escaping=allow-utf-8", "{\"my.name\",\"a.b\"=\"c\"} 1\n", ""},
		{"escaped quotes and newlines in labels", text, "a{x=\"q\\\"\\n\\\\\"} 1\na{x=\"q\"} 1\n", ""},
		{"a whole histogram", text, "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", ""},
		{"a summary", text, "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_sum 1\ns_count 1\n", ""},
		{"no Content-Type", "", "a 1\n", "no Content-Type"},
		{"an unknown Content-Type", "application/json", "a 1\n", "application/json"},
		{"HTML by its type", "text/html", "a 1\n", "text/html"},
		{"a Content-Type that is none", ";;;", "a 1\n", "can not be read"},
		{"another charset", "text/plain; charset=latin1", "a{b=\"\xc3\xa4\"} 1\n", "latin1"},
		{"another charset where it makes no difference", "text/plain; version=0.0.4; charset=ISO-8859-1", "a 1\n", ""},
		{"UTF-8 by its other name", "text/plain; charset=UTF8", "a{b=\"\xc3\xa4\"} 1\n", ""},
		{"HTML by its content", text, "<!doctype html><html></html>\n", "not the text format"},
		{"JSON", text, "{\"status\":\"ok\"}\n", "not the text format"},
		{"nothing", text, "", "empty"},
		{"blanks", text, " \n\n", "empty"},
		{"only comments", text, "# HELP a b\n# TYPE a counter\n", "no sample"},
		{"a series twice", text, "a 1\na 1\n", "given twice, at lines 1 and 2"},
		{"a series twice in another order of labels", text, "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\n", "given twice"},
		{"a bucket twice", text, "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", "given twice"},
		{"a series twice, once with an empty label", text, "a{x=\"\"} 1\na 1\n", "given twice"},
		{"a bucket twice, written in two ways", text, "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", "two buckets le=1"},
		{"a quantile twice, written in two ways", text, "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.50\"} 1\ns_sum 1\ns_count 1\n", "quantile 0.5 twice"},
		{"a negative counter", text, "# TYPE a counter\na -1\n", "never negative"},
		{"a counter that is NaN", text, "# TYPE a counter\na NaN\n", "NaN"},
		{"a histogram that goes down", text, "# TYPE h histogram\nh_bucket{le=\"1\"} 5\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n", "goes down"},
		{"a histogram without +Inf", text, "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 3\nh_count 2\n", "+Inf"},
		{"a histogram whose count differs", text, "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 3\n", "_count"},
		{"a quantile beyond 1", text, "# TYPE s summary\ns{quantile=\"5\"} 1\ns_sum 1\ns_count 1\n", "quantile"},
		{"a page that was cut off", text, "a 1\nb{x=\"", "not the text format"},
		{"OpenMetrics", om, "# TYPE a counter\n# HELP a Help.\na_total{x=\"1\"} 1 # {trace_id=\"t\"} 1 1.5\na_created 1\n# EOF\n", ""},
		{"OpenMetrics without a last newline", om, "a 1\n# EOF", ""},
		{"an OpenMetrics histogram", om, "# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n# EOF\n", ""},
		{"an OpenMetrics info", om, "# TYPE build info\nbuild_info{revision=\"r\"} 1\n# EOF\n", ""},
		{"OpenMetrics without its end", om, "a 1\n", "# EOF"},
		{"OpenMetrics with something after its end", om, "a 1\n# EOF\nb 1\n", "# EOF"},
		{"an end in the middle", om, "a 1\n# EOF\n# EOF\n", "before the end"},
		{"an empty line in OpenMetrics", om, "a 1\n\n# EOF\n", "is empty"},
		{"an OpenMetrics counter without _total", om, "# TYPE a counter\na 1\n# EOF\n", "suffixes"},
		{"an OpenMetrics series twice", om, "a 1\na 2\n# EOF\n", "given twice"},
		{"an OpenMetrics counter that is negative", om, "# TYPE a counter\na_total -1\n# EOF\n", "never negative"},
		{"an OpenMetrics histogram that goes down", om, "# TYPE h histogram\nh_bucket{le=\"1.0\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n# EOF\n", "goes down"},
		{"an OpenMetrics bucket twice, written in two ways", om, "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n# EOF\n", "two buckets le=1"},
		{"only the end", om, "# EOF\n", "no sample"},
		{"HTML as OpenMetrics", om, "<html>\n# EOF\n", "line 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := Check(tt.contentType, []byte(tt.page))
			got := strings.Join(p.Problems, "; ")
			if (tt.problem == "") != (got == "") || !strings.Contains(got, tt.problem) {
				t.Errorf("problems: %q, want %q", got, tt.problem)
			}
		})
	}
}

func TestFamiliesAndLabels(t *testing.T) {
	t.Parallel()
	p := Check(om, []byte("# TYPE req counter\nreq_total{x=\"1\"} 1\n# TYPE build info\nbuild_info{revision=\"r\"} 1\n# EOF\n"))
	for name, want := range map[string]bool{"req": true, "req_total": true, "build": true, "build_info": true, "other": false} {
		if p.Has(name) != want {
			t.Errorf("has %s is %t", name, !want)
		}
	}
	if got := p.LabelsOf("build_info")["revision"]; got != "r" {
		t.Errorf("revision is %q", got)
	}
}

func TestProtobuf(t *testing.T) {
	t.Parallel()
	name, kind, value := "a", dto.MetricType_COUNTER, 1.0
	encode := func(families ...*dto.MetricFamily) []byte {
		var b bytes.Buffer
		enc := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeProtoDelim))
		for _, f := range families {
			if err := enc.Encode(f); err != nil {
				t.Fatal(err)
			}
		}
		return b.Bytes()
	}
	m := &dto.Metric{Counter: &dto.Counter{Value: &value}}
	const proto = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	if p := Check(proto, encode(&dto.MetricFamily{Name: &name, Type: &kind, Metric: []*dto.Metric{m}})); len(p.Problems) > 0 || p.Samples != 1 {
		t.Errorf("a good page: %v", p.Problems)
	}
	if p := Check(proto, encode(&dto.MetricFamily{Name: &name, Type: &kind, Metric: []*dto.Metric{m, m}})); len(p.Problems) == 0 {
		t.Error("a series given twice passed")
	}
	if p := Check(proto, []byte("not protobuf")); len(p.Problems) == 0 {
		t.Error("text passed for protobuf")
	}
}

func FuzzCheck(f *testing.F) {
	for _, page := range []string{"a 1\n", "# TYPE h histogram\nh_bucket{le=\"1\"} 1\n", "a{x=\"\\", "{\"a\"} 1\n", "# TYPE a counter\na_total 1 # {} 1\n# EOF\n", "\x0a\x01a"} {
		for _, ct := range []string{text, om, "application/vnd.google.protobuf"} {
			f.Add(ct, []byte(page))
		}
	}
	f.Fuzz(func(t *testing.T, contentType string, page []byte) {
		before := bytes.Clone(page)
		p := Check(contentType, page)
		if len(p.Problems) == 0 && p.Samples == 0 {
			t.Error("a page without a sample is good")
		}
		if len(p.Problems) > maxProblems || !bytes.Equal(before, page) {
			t.Error("too many problems, or the page was changed")
		}
	})
}
