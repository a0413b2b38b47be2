package exposition

import (
	"math"
	"strings"
	"unicode/utf8"
)

// suffixes are what a family's samples may add to its name, by type.
var suffixes = map[string][]string{
	"counter":        {"_total", "_created"},
	"gauge":          {""},
	"histogram":      {"_bucket", "_count", "_sum", "_created"},
	"gaugehistogram": {"_bucket", "_gcount", "_gsum", "_created"},
	"summary":        {"", "_count", "_sum", "_created"},
	"info":           {"_info"},
	"stateset":       {""},
	"unknown":        {""},
}

// omFamily is what has been read of one family.
type omFamily struct {
	name, kind string
	hists      map[string]*omHist
	order      []string
}

type omHist struct {
	buckets  []bucket
	hasCount bool
	count    float64
}

// openMetrics reads a page in OpenMetrics' text format.
func (p *Page) openMetrics(body []byte) {
	if !utf8.Valid(body) {
		p.problem("the page is not UTF-8")
		return
	}
	text := strings.TrimSuffix(string(body), "\n")
	lines := strings.Split(text, "\n")
	if lines[len(lines)-1] != "# EOF" {
		p.problem("OpenMetrics: the page does not end with \"# EOF\": it was cut off, or something follows")
		return
	}
	families := map[string]*omFamily{}
	var order []string
	seen := map[string]int{}
	described := map[string]int{}
	for i, line := range lines[:len(lines)-1] {
		n := i + 1
		switch {
		case line == "":
			p.problem("OpenMetrics: line %d is empty", n)
		case line == "# EOF":
			p.problem("OpenMetrics: line %d says \"# EOF\" before the end", n)
		case strings.HasPrefix(line, "#"):
			p.omMeta(n, line, families, &order, described)
		default:
			s, err := parseSample(line)
			if err != nil {
				p.problem("OpenMetrics: line %d: %s", n, err)
				continue
			}
			p.omSample(n, s, families, &order, seen)
		}
		if len(p.Problems) >= maxProblems {
			return
		}
	}
	for _, name := range order {
		f := families[name]
		for _, k := range f.order {
			h := f.hists[k]
			where := f.name
			if k != "" {
				where += "{" + k + "}"
			}
			p.buckets(where, h.buckets, h.hasCount, h.count)
		}
	}
}

func (p *Page) omMeta(n int, line string, families map[string]*omFamily, order *[]string, described map[string]int) {
	fields := strings.SplitN(line, " ", 4)
	if len(fields) < 3 || fields[0] != "#" {
		p.problem("OpenMetrics: line %d is neither HELP, TYPE, UNIT nor a sample", n)
		return
	}
	name := strings.Trim(fields[2], `"`)
	value := ""
	if len(fields) == 4 {
		value = fields[3]
	}
	if first, twice := described[fields[1]+" "+name]; twice {
		p.problem("OpenMetrics: line %d: %s of %s is already given at line %d", n, fields[1], name, first)
	}
	described[fields[1]+" "+name] = n
	switch fields[1] {
	case "HELP":
	case "UNIT":
		if value != "" && !strings.HasSuffix(name, "_"+value) {
			p.problem("OpenMetrics: line %d: the name of %s does not end with its unit %s", n, name, value)
		}
	case "TYPE":
		if _, ok := suffixes[value]; !ok {
			p.problem("OpenMetrics: line %d: %q is no type", n, value)
			return
		}
		if families[name] != nil {
			p.problem("OpenMetrics: line %d: the type of %s comes after its samples", n, name)
			return
		}
		families[name] = &omFamily{name: name, kind: value, hists: map[string]*omHist{}}
		*order = append(*order, name)
	default:
		p.problem("OpenMetrics: line %d: %q is neither HELP, TYPE nor UNIT", n, fields[1])
	}
}

// family finds what a sample belongs to and the suffix it carries.
func omOwner(name string, families map[string]*omFamily) (*omFamily, string) {
	for _, suffix := range []string{"", "_total", "_created", "_bucket", "_count", "_sum", "_gcount", "_gsum", "_info"} {
		base, ok := strings.CutSuffix(name, suffix)
		if !ok {
			continue
		}
		if f := families[base]; f != nil {
			for _, allowed := range suffixes[f.kind] {
				if allowed == suffix {
					return f, suffix
				}
			}
		}
	}
	return nil, ""
}

func (p *Page) omSample(n int, s sample, families map[string]*omFamily, order *[]string, seen map[string]int) {
	f, suffix := omOwner(s.name, families)
	if f == nil {
		if declared := families[s.name]; declared != nil {
			p.problem("OpenMetrics: line %d: a sample of the %s %s must carry one of the suffixes %s",
				n, declared.kind, s.name, strings.Join(suffixes[declared.kind], ", "))
			return
		}
		f = &omFamily{name: s.name, kind: "unknown", hists: map[string]*omHist{}}
		families[s.name] = f
		*order = append(*order, s.name)
	}
	v, err := number(s.value)
	if err != nil {
		p.problem("OpenMetrics: line %d: the value of %s is %q", n, s.name, s.value)
		return
	}
	stamp, exemplar, hasExemplar := strings.Cut(s.rest, "# ")
	stamp = strings.TrimSpace(stamp)
	if stamp != "" {
		if _, err := number(stamp); err != nil {
			p.problem("OpenMetrics: line %d: the timestamp of %s is %q", n, s.name, stamp)
		}
	}
	if hasExemplar {
		if suffix != "_total" && suffix != "_bucket" {
			p.problem("OpenMetrics: line %d: %s can not have an exemplar", n, s.name)
		} else if _, err := parseSample("exemplar" + exemplar); err != nil {
			p.problem("OpenMetrics: line %d: exemplar: %s", n, err)
		}
	}
	id := s.name + "{" + key(s.labels) + "}"
	if first, twice := seen[id+" "+stamp]; twice {
		p.problem("series %s is given twice, at lines %d and %d", id, first, n)
	}
	seen[id+" "+stamp] = n
	if p.Families[f.name] == 0 {
		p.Labels[f.name] = s.labels
	}
	p.Samples++
	p.Families[f.name]++
	if suffix == "_info" {
		p.Families[f.name+"_info"]++
		p.Labels[f.name+"_info"] = s.labels
	}
	p.omValue(f, suffix, id, s, v)
}

func (p *Page) omValue(f *omFamily, suffix, id string, s sample, v float64) {
	switch f.kind {
	case "counter":
		if suffix == "_total" {
			p.counter(id, v)
		}
	case "info":
		if v != 1 {
			p.problem("info %s is %v, want 1", id, v)
		}
	case "histogram", "gaugehistogram":
		labels := map[string]string{}
		for k, l := range s.labels {
			if k != "le" {
				labels[k] = l
			}
		}
		group := key(labels)
		h := f.hists[group]
		if h == nil {
			h = &omHist{}
			f.hists[group] = h
			f.order = append(f.order, group)
		}
		switch suffix {
		case "_bucket":
			le, err := number(s.labels["le"])
			if err != nil {
				le = math.NaN()
			}
			h.buckets = append(h.buckets, bucket{le, v})
		case "_count", "_gcount":
			h.hasCount, h.count = true, v
		}
	}
}
