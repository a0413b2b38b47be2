// Package exposition judges a metrics page as Prometheus 3 would, and stricter
// where Prometheus accepts what is surely a mistake: an empty page, a series
// given twice, a histogram that goes down, a negative counter.
package exposition

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Accept is the header that Prometheus 3 sends, without protobuf.
const Accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5," +
	"application/openmetrics-text;version=0.0.1;q=0.4," +
	"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"

// MaxBody is how much of a page is read, in bytes.
const MaxBody = 8 << 20

// MediaTypes are those that Prometheus 3 takes; any other, and none at all, it
// refuses.
func MediaTypes() []string {
	return []string{"text/plain", "application/openmetrics-text", "application/vnd.google.protobuf"}
}

// Page is what a metrics page turned out to hold.
type Page struct {
	// Families by name; a counter of OpenMetrics has its name without _total.
	Families map[string]int
	// Samples on the whole page.
	Samples int
	// Labels of each family's first sample.
	Labels map[string]map[string]string
	// Problems, each one line. A page without problems is good.
	Problems []string
}

func newPage() *Page {
	return &Page{Families: map[string]int{}, Labels: map[string]map[string]string{}}
}

// maxProblems bounds the list: a page that is wrong throughout says so anyway.
const maxProblems = 10

func (p *Page) problem(format string, args ...any) {
	if len(p.Problems) < maxProblems {
		p.Problems = append(p.Problems, fmt.Sprintf(format, args...))
	}
}

// Has says whether the page has samples of the family, with or without the
// suffix that counters of the text format carry.
func (p *Page) Has(family string) bool {
	return p.Families[family] > 0 || p.Families[strings.TrimSuffix(family, "_total")] > 0
}

// LabelsOf gives the labels of the family's first sample.
func (p *Page) LabelsOf(family string) map[string]string {
	if l, ok := p.Labels[family]; ok {
		return l
	}
	return p.Labels[strings.TrimSuffix(family, "_total")]
}

// Check judges a page. It never panics, whatever the page is.
func Check(contentType string, body []byte) *Page {
	p := newPage()
	media := ""
	if contentType == "" {
		p.problem("the answer has no Content-Type; Prometheus 3 refuses the page")
		return p
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		p.problem("Content-Type %q can not be read: %v", contentType, err)
		return p
	}
	if !slices.Contains(MediaTypes(), media) {
		p.problem("Content-Type is %q; Prometheus 3 takes %s", contentType, strings.Join(MediaTypes(), ", "))
		return p
	}
	// Prometheus reads UTF-8 whatever is declared; in ASCII they are the same.
	charset := strings.ToLower(params["charset"])
	if !slices.Contains([]string{"", "utf-8", "utf8", "us-ascii"}, charset) && slices.ContainsFunc(body, func(b byte) bool { return b >= 0x80 }) {
		p.problem("Content-Type has charset %s, want utf-8", charset)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		p.problem("the page is empty")
		return p
	}
	switch media {
	case "text/plain":
		p.text(body)
	case "application/openmetrics-text":
		p.openMetrics(body)
	default:
		p.protobuf(body)
	}
	if p.Samples == 0 && len(p.Problems) == 0 {
		p.problem("the page holds no sample")
	}
	return p
}

func (p *Page) text(body []byte) {
	if body[len(body)-1] != '\n' {
		body = append(slices.Clip(body), '\n') // Prometheus does not insist on it
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		p.problem("not the text format: %s", oneLine(err.Error()))
		return
	}
	p.families(families)
	p.duplicates(body)
}

func (p *Page) protobuf(body []byte) {
	dec := expfmt.NewDecoder(bytes.NewReader(body), expfmt.NewFormat(expfmt.TypeProtoDelim))
	families := map[string]*dto.MetricFamily{}
	for {
		f := &dto.MetricFamily{}
		if err := dec.Decode(f); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			p.problem("not delimited protobuf: %s", oneLine(err.Error()))
			return
		}
		if families[f.GetName()] != nil {
			p.problem("family %s is given twice", f.GetName())
		}
		families[f.GetName()] = f
	}
	p.families(families)
	for name, f := range families {
		seen := map[string]bool{}
		for _, m := range f.GetMetric() {
			key := labelKey(m)
			if seen[key] {
				p.problem("series %s{%s} is given twice", name, key)
			}
			seen[key] = true
		}
	}
}

// families judges the values of parsed families.
func (p *Page) families(families map[string]*dto.MetricFamily) {
	names := make([]string, 0, len(families))
	for name := range families {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := families[name]
		for i, m := range f.GetMetric() {
			p.Samples++
			p.Families[name]++
			if i == 0 {
				p.Labels[name] = labelMap(m)
			}
			where := name
			if key := labelKey(m); key != "" {
				where += "{" + key + "}"
			}
			switch {
			case m.GetCounter() != nil:
				p.counter(where, m.GetCounter().GetValue())
			case m.GetHistogram() != nil:
				p.histogram(where, m.GetHistogram())
			case m.GetSummary() != nil:
				seen := map[float64]bool{}
				for _, q := range m.GetSummary().GetQuantile() {
					v := q.GetQuantile()
					if !(v >= 0 && v <= 1) {
						p.problem("summary %s has quantile %v, want 0 to 1", where, v)
					} else if seen[v] {
						p.problem("summary %s has quantile %v twice", where, v)
					}
					seen[v] = true
				}
			}
		}
	}
}

func (p *Page) counter(where string, v float64) {
	switch {
	case math.IsNaN(v):
		p.problem("counter %s is NaN", where)
	case v < 0:
		p.problem("counter %s is %v: a counter is never negative", where, v)
	}
}

func (p *Page) histogram(where string, h *dto.Histogram) {
	if h.Schema != nil && len(h.GetBucket()) == 0 {
		return // a native histogram has no buckets of this kind
	}
	var bs []bucket
	for _, b := range h.GetBucket() {
		count := float64(b.GetCumulativeCount())
		if b.CumulativeCountFloat != nil {
			count = b.GetCumulativeCountFloat()
		}
		bs = append(bs, bucket{b.GetUpperBound(), count})
	}
	count := float64(h.GetSampleCount())
	if h.SampleCountFloat != nil {
		count = h.GetSampleCountFloat()
	}
	p.buckets(where, bs, h.SampleCount != nil || h.SampleCountFloat != nil, count)
}

type bucket struct{ le, count float64 }

// buckets judges a classic histogram.
func (p *Page) buckets(where string, bs []bucket, hasCount bool, count float64) {
	slices.SortStableFunc(bs, func(a, b bucket) int {
		switch {
		case a.le < b.le:
			return -1
		case a.le > b.le:
			return 1
		}
		return 0
	})
	if len(bs) == 0 {
		p.problem("histogram %s has no buckets", where)
		return
	}
	for i, b := range bs {
		if math.IsNaN(b.le) || math.IsNaN(b.count) || b.count < 0 {
			p.problem("histogram %s has a bucket le=%v with count %v", where, b.le, b.count)
			return
		}
		// Written in two ways, 1 and 1.0: Prometheus 3 makes one series of them.
		if i > 0 && b.le == bs[i-1].le {
			p.problem("histogram %s has two buckets le=%v", where, b.le)
			return
		}
		if i > 0 && b.count < bs[i-1].count {
			p.problem("histogram %s goes down: le=%v counts %v, le=%v counts %v", where, bs[i-1].le, bs[i-1].count, b.le, b.count)
			return
		}
	}
	last := bs[len(bs)-1]
	switch {
	case !math.IsInf(last.le, 1):
		p.problem("histogram %s has no bucket le=\"+Inf\"", where)
	case !hasCount:
		p.problem("histogram %s has no _count", where)
	case last.count != count:
		p.problem("histogram %s counts %v in le=\"+Inf\" and %v in _count", where, last.count, count)
	}
}

func labelMap(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, l := range m.GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	return labels
}

func labelKey(m *dto.Metric) string { return key(labelMap(m)) }

// key writes labels in one order, so that equal sets have equal keys. A label
// with an empty value is to Prometheus one that is not there.
func key(labels map[string]string) string {
	parts := make([]string, 0, len(labels))
	for k, v := range labels {
		if v != "" {
			parts = append(parts, fmt.Sprintf("%s=%q", k, v))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}
