package resolve

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proerror77/nova-staging/plugin/ecr"
	"github.com/proerror77/nova-staging/plugin/policy"
)

// finished is a basic scan with findings, given as severity and number.
func finished(findings ...any) ecr.Scan {
	s := ecr.Scan{Status: "COMPLETE", Reported: true, Counts: map[string]int{}, CompletedAt: noon}
	for i := 0; i+1 < len(findings); i += 2 {
		s.Counts[findings[i].(string)] = findings[i+1].(int)
	}
	return s
}

// scanned stores scans by digest.
func (f *fake) scanned(s ecr.Scan, images ...*stored) {
	if f.scans == nil {
		f.scans = map[string]ecr.Scan{}
	}
	for _, i := range images {
		f.scans[i.Digest] = s
	}
}

func TestTheScanGate(t *testing.T) {
	t.Parallel()
	arm, amd := digest("arm"), digest("amd")
	index := fmt.Sprintf(`{"mediaType":%q,"manifests":[
		{"mediaType":%q,"digest":%q,"platform":{"os":"linux","architecture":"arm64"}},
		{"mediaType":%q,"digest":%q,"platform":{"os":"linux","architecture":"amd64"}},
		{"mediaType":%q,"digest":%q,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.type":"attestation-manifest"}}]}`,
		ociIndex, ociImage, arm, ociImage, amd, ociImage, digest("attestation"))
	asIndex := func(f *fake, image *stored, body string) {
		image.MediaType, image.ArtifactType, image.body = ociIndex, "", body
	}
	tests := []struct {
		name    string
		gate    string // default {refuse: high}
		scan    func(f *fake, image *stored)
		refused string // why; "" when it is let through
		text    string // of the decision that is let through
		scans   int    // calls, default 1
	}{
		{name: "an image without findings", scan: func(f *fake, i *stored) { f.scanned(finished(), i) }, text: "scan: no findings"},
		{name: "findings that are not bad enough", scan: func(f *fake, i *stored) { f.scanned(finished("MEDIUM", 3, "LOW", 1), i) }, text: "scan: 3 MEDIUM, 1 LOW"},
		{
			name: "findings that are", scan: func(f *fake, i *stored) { f.scanned(finished("CRITICAL", 2, "HIGH", 1, "LOW", 9), i) },
			refused: "scan: 2 CRITICAL, 1 HIGH: high and worse is refused; push an image without these findings",
		},
		{
			name: "findings of Inspector", scan: func(f *fake, i *stored) {
				f.scanned(ecr.Scan{Status: "ACTIVE", Reported: true, Enhanced: true, Counts: map[string]int{"HIGH": 1}}, i)
			},
			refused: "scan: 1 HIGH: high and worse is refused",
		},
		{
			name: "an image that nobody scanned", scan: func(*fake, *stored) {},
			refused: "scan: never scanned; turn on scan on push for the repository, or list missing in scan.allow",
		},
		{
			name: "a scan under way", scan: func(f *fake, i *stored) { f.scanned(ecr.Scan{Status: "IN_PROGRESS"}, i) },
			refused: "scan: not finished (IN_PROGRESS); it passes by itself once the scan has finished",
		},
		{
			name: "a scan that waits for Inspector", scan: func(f *fake, i *stored) { f.scanned(ecr.Scan{Status: "PENDING"}, i) },
			refused: "scan: not finished (PENDING)",
		},
		{
			name: "a finished scan without an answer", scan: func(f *fake, i *stored) { f.scanned(ecr.Scan{Status: "ACTIVE"}, i) },
			refused: "scan: not finished (ACTIVE)",
		},
		{
			name: "a scan under way, which is allowed", gate: "{refuse: high, allow: [unfinished]}",
			scan: func(f *fake, i *stored) { f.scanned(ecr.Scan{Status: "IN_PROGRESS"}, i) }, text: "scan: unfinished, which is allowed",
		},
		{
			name: "what the scanner does not support", scan: func(f *fake, i *stored) {
				f.scanned(ecr.Scan{Status: "UNSUPPORTED_IMAGE", Description: "UnsupportedImageError: the OS is not supported."}, i)
			},
			refused: "scan: the scanner does not support the image (UNSUPPORTED_IMAGE): UnsupportedImageError: the OS is not supported; have it scanned again, or list unsupported in scan.allow",
		},
		{
			name: "what Inspector no longer watches", scan: func(f *fake, i *stored) { f.scanned(ecr.Scan{Status: "SCAN_ELIGIBILITY_EXPIRED"}, i) },
			refused: "scan: no longer watched, so that its findings are out of date (SCAN_ELIGIBILITY_EXPIRED)",
		},
		{
			name: "a scan that failed", scan: func(f *fake, i *stored) { f.scanned(ecr.Scan{Status: "FAILED"}, i) },
			refused: "scan: failed (FAILED)",
		},
		{
			name: "a status from the future, whatever is allowed", gate: "{refuse: critical, allow: [unfinished, unsupported, expired, failed, missing, undefined]}",
			scan:    func(f *fake, i *stored) { f.scanned(ecr.Scan{Status: "SCANNED_TWICE"}, i) },
			refused: "scan: in a state that is not known here (SCANNED_TWICE)",
		},
		{
			name: "an allowed state does not allow findings", gate: "{refuse: low, allow: [unfinished, missing]}",
			scan: func(f *fake, i *stored) { f.scanned(finished("LOW", 1), i) }, refused: "scan: 1 LOW: low and worse is refused",
		},
		{
			name: "every platform of an index, not its attestation", scans: 2,
			scan: func(f *fake, i *stored) {
				asIndex(f, i, index)
				f.scans = map[string]ecr.Scan{arm: finished("LOW", 1), amd: finished("LOW", 2)}
			},
			text: "scan: 2 LOW, in the worst of 2 platforms",
		},
		{
			name: "one platform of an index that has findings", scans: 2,
			scan: func(f *fake, i *stored) {
				asIndex(f, i, index)
				f.scans = map[string]ecr.Scan{arm: finished("HIGH", 1), amd: finished()}
			},
			refused: "scan: linux/arm64: 1 HIGH: high and worse is refused",
		},
		{
			name: "one platform of an index that is not scanned, beside one that has findings", scans: 2,
			scan: func(f *fake, i *stored) {
				asIndex(f, i, index)
				f.scans = map[string]ecr.Scan{amd: finished("HIGH", 1)}
			},
			refused: "scan: linux/arm64: never scanned; linux/amd64: 1 HIGH: high and worse is refused",
		},
		{
			name: "an index of indexes", scans: -1, gate: "{refuse: high, allow: [missing]}",
			scan: func(f *fake, i *stored) {
				asIndex(f, i, fmt.Sprintf(`{"manifests":[{"mediaType":%q,"digest":%q}]}`, ociIndex, arm))
			},
			refused: "scan: which images it consists of is not certain: the index lists another index",
		},
	}
	for _, tt := range tests {
		for _, rule := range []string{"commit: {}", "newest: {tags: '.'}", "tag: {name: " + sha(0) + "}"} {
			t.Run(tt.name+", by "+rule[:6], func(t *testing.T) {
				t.Parallel()
				f := newFake()
				f.push("a/b", noon.Add(-time.Hour), sha(1)) // would pass, and must never win
				f.scanned(finished(), &f.images["a/b"][0])
				tt.scan(f, f.push("a/b", noon.Add(-time.Minute), sha(0)))
				gate := tt.gate
				if gate == "" {
					gate = "{refuse: high}"
				}
				r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3}), Candidates: true}
				o := one(t, r, Group{Entry: entry(t, rule+"\n  scan: "+gate), Repositories: repos(t, "a/b")})
				if want := max(0, tt.scans+toInt(tt.scans == 0)); strings.Count(ops(f), "Scan") != want {
					t.Errorf("made calls %q, want %d scans", ops(f), want)
				}
				if tt.refused == "" {
					if o.Err != nil {
						t.Fatal(o.Err)
					}
					if d := o.Decisions[0]; d.Tag != sha(0) || d.Scan.Text() != tt.text || !d.Candidates[0].Chosen {
						t.Errorf("chose %s with %q, want %s with %q", d.Tag, d.Scan.Text(), sha(0), tt.text)
					}
					return
				}
				var refused *Refused
				if !errors.Is(o.Err, ErrScan) || !errors.As(o.Err, &refused) || o.Decisions != nil {
					t.Fatalf("got %v and error %v, want it refused", o.Decisions, o.Err)
				}
				if want := "refused by the scan gate: " + host + "/a/b:" + sha(0) + ": " + tt.refused; !strings.HasPrefix(o.Err.Error(), want) {
					t.Errorf("error is %q, want %q", o.Err, want)
				}
				c := refused.Decisions[0].Candidates[0]
				if c.Chosen || c.Tag != sha(0) || !strings.HasPrefix(c.Why, "scan: ") {
					t.Errorf("the refused candidate is %+v", c)
				}
			})
		}
	}
}

func TestARefusedImageRefusesTheWholeCommit(t *testing.T) {
	t.Parallel()
	f := newFake()
	var all []*stored
	for _, name := range []string{"a/b", "a/c", "a/d", "a/e", "a/f"} {
		for i := range 2 {
			all = append(all, f.push(name, noon.Add(-time.Minute), sha(i)))
			f.scanned(finished(), all[len(all)-1])
		}
	}
	bad := digest("a/c" + sha(0))
	f.scans[bad] = finished("CRITICAL", 1)
	r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3}), Candidates: true}
	g := Group{Entry: entry(t, "commit: {}\n  together: true\n  scan: {refuse: critical}"), Repositories: repos(t, "a/b", "a/c", "a/d", "a/e", "a/f")}
	o := one(t, r, g)
	want := "refused by the scan gate: 1 of 5 images of commit " + short(sha(0)) + ": " + host + "/a/c:" + sha(0) + ": scan: 1 CRITICAL: critical is refused"
	if o.Err == nil || !strings.HasPrefix(o.Err.Error(), want) {
		t.Fatalf("error is %v, want %q", o.Err, want)
	}
	var refused *Refused
	if !errors.As(o.Err, &refused) {
		t.Fatal("no decisions to explain")
	}
	if why := refused.Decisions[0].Candidates[0].Why; why != "together: another image of this commit is refused; scan: no findings" {
		t.Errorf("the image beside it lost because of %q", why)
	}
	// With all of them bad the error names some.
	for _, i := range all {
		f.scans[i.Digest] = finished("CRITICAL", 1)
	}
	if o = one(t, r, g); !strings.Contains(o.Err.Error(), "5 of 5 images") || !strings.Contains(o.Err.Error(), "and 2 more") {
		t.Errorf("error is %v", o.Err)
	}
}

// What the gate let through at an instant is let through for ever, also when
// another git revision chooses it, and a refusal is asked about again.
func TestTheGateNeverChangesAnInstantThatWasRendered(t *testing.T) {
	t.Parallel()
	f, store := newFake(), &memory{}
	image := f.push("a/b", noon.Add(-time.Minute), sha(1))
	rule := "commit: {}\n  scan: {refuse: high}"
	resolve := func(revision string, asOf time.Time, rule string, candidates bool) Outcome {
		r := &Resolver{Registry: f, AsOf: asOf, Commits: lineOf(&commits{n: 3}), Candidates: candidates, Cache: &Cache{Store: store, Revision: revision}}
		return one(t, r, Group{Entry: entry(t, rule), Repositories: repos(t, "a/b")})
	}
	f.scanned(ecr.Scan{Status: "IN_PROGRESS"}, image)
	if o := resolve(sha(0), noon, rule, false); !errors.Is(o.Err, ErrScan) {
		t.Fatalf("an unfinished scan gives %v", o.Err)
	}
	f.scanned(finished("LOW", 1), image)
	first := resolve(sha(0), noon, rule, false)
	if first.Err != nil {
		t.Fatal(first.Err)
	}
	f.scanned(finished("CRITICAL", 1), image) // found the day after
	calls := len(f.calls)
	second := resolve(sha(0), noon, rule, false)
	if second.Err != nil || second.Decisions[0].Image != first.Decisions[0].Image || len(f.calls) != calls {
		t.Errorf("the same instant gives %+v, %v, with calls %v", second.Decisions, second.Err, f.calls[calls:])
	}
	if d := second.Decisions[0]; d.Scan.Text() != "scan: 1 LOW" {
		t.Errorf("the earlier render went by %q", d.Scan.Text())
	}
	if o := resolve(sha(9), noon, rule, false); o.Err != nil || strings.Count(ops(f), "Scan") != 2 {
		t.Errorf("another revision at the same instant gives %v, after calls %q", o.Err, ops(f))
	}
	for name, o := range map[string]Outcome{
		"another instant":              resolve(sha(0), noon.Add(time.Second), rule, false),
		"a stricter gate":              resolve(sha(0), noon, "commit: {}\n  scan: {refuse: low}", false),
		"a look at what is so by now":  resolve(sha(0), noon, rule, true),
		"a gate that allows some more": resolve(sha(0), noon, "commit: {}\n  scan: {refuse: high, allow: [missing]}", false),
	} {
		if !errors.Is(o.Err, ErrScan) {
			t.Errorf("%s gives %v, want a refusal by today's findings", name, o.Err)
		}
	}
	if o := resolve(sha(0), noon, rule, false); o.Err != nil {
		t.Errorf("after all that the same instant gives %v", o.Err)
	}
}

// Until the instant has passed another image may still win, and the scans of this
// one go on: what the gate says now is not its answer for the instant.
func TestTheGatesAnswerIsNotKeptBeforeTheInstantHasPassed(t *testing.T) {
	t.Parallel()
	f, store := newFake(), &memory{}
	f.clock = noon.Add(-time.Second)
	f.scanned(finished(), f.push("a/b", noon.Add(-time.Minute), sha(0)))
	r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3}), Cache: &Cache{Store: store, Revision: sha(0)}}
	g := Group{Entry: entry(t, "commit: {}\n  scan: {refuse: high}"), Repositories: repos(t, "a/b")}
	if o := one(t, r, g); o.Err != nil || len(store.puts) > 0 {
		t.Errorf("kept %q, %v", store.puts, o.Err)
	}
}

// An image that is gone is not one that was never scanned, which may be allowed.
func TestTheGateFailsWhenTheChosenImageIsGone(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.push("a/b", noon.Add(-time.Minute), sha(0))
	f.fail = func(op, _ string) error {
		if op == "Scan" {
			return ecr.ErrImageNotFound
		}
		return nil
	}
	r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3})}
	o := one(t, r, Group{Entry: entry(t, "commit: {}\n  scan: {refuse: critical, allow: [missing]}"), Repositories: repos(t, "a/b")})
	if !errors.Is(o.Err, ecr.ErrImageNotFound) || o.Decisions != nil {
		t.Errorf("got %v, %v", o.Decisions, o.Err)
	}
}

func TestTheGateFailsWhenItCanNotAsk(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.push("a/b", noon.Add(-time.Minute), sha(0))
	f.fail = func(op, _ string) error {
		if op == "Scan" {
			return ecr.ErrDenied
		}
		return nil
	}
	r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3})}
	o := one(t, r, Group{Entry: entry(t, "commit: {}\n  scan: {refuse: critical, allow: [missing, failed, unfinished]}"), Repositories: repos(t, "a/b")})
	if !errors.Is(o.Err, ecr.ErrDenied) || errors.Is(o.Err, ErrScan) || o.Decisions != nil {
		t.Errorf("got %v, %v", o.Decisions, o.Err)
	}
}

func TestWithoutAGateScansAreNotAskedFor(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.push("a/b", noon.Add(-time.Minute), sha(0))
	r := &Resolver{Registry: f, AsOf: noon, Commits: lineOf(&commits{n: 3})}
	o := one(t, r, Group{Entry: entry(t, "commit: {}"), Repositories: repos(t, "a/b")})
	if o.Err != nil || o.Decisions[0].Scan != nil || strings.Contains(ops(f), "Scan") {
		t.Errorf("got %+v, %v after %q", o.Decisions, o.Err, ops(f))
	}
}

// Every state without findings can be allowed by its name, but the unknown one.
func TestStatesHaveTheNamesThatThePolicyAllows(t *testing.T) {
	t.Parallel()
	states := map[string]bool{}
	for _, status := range []string{
		"", "IN_PROGRESS", "COMPLETE", "FAILED", "UNSUPPORTED_IMAGE", "ACTIVE", "PENDING",
		"SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "IMAGE_ARCHIVED",
	} {
		states[string(ecr.Scan{Status: status, Reported: true}.State())] = true
	}
	delete(states, string(ecr.ScanFinished))
	delete(states, string(ecr.ScanUnknown)) // an archived image
	for _, s := range policy.Unscanned {
		if !states[s] {
			t.Errorf("scan.allow knows %q, which no status comes to", s)
		}
		delete(states, s)
	}
	if len(states) > 0 {
		t.Errorf("scan.allow does not know %v", states)
	}
}
