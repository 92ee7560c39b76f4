package audit_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/audit"
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestTheRoomIsLight keeps out of whoever verifies what only whoever decides needs.
func TestTheRoomIsLight(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	must(t, err)
	for _, heavy := range []string{"badger", "open-policy-agent", "wazero", "cuelang", "gonum", "net/http", "os/exec"} {
		if strings.Contains(string(out), heavy) {
			t.Errorf("runtime/audit imports %s", heavy)
		}
	}
	if !strings.Contains(string(out), "runtime/tree") {
		t.Fatalf("go list does not tell what is imported:\n%s", out)
	}
}

// expect verifies and wants exactly these checks to fail.
func expect(t *testing.T, b *caiov1.Bundle, opts audit.Options, fail ...string) *audit.Report {
	t.Helper()
	r := audit.Verify(b, opts)
	got := r.Failures()
	for _, c := range r.Checks {
		if c.Said == "" {
			t.Errorf("check %s says nothing", c.Name)
		}
	}
	if !slices.Equal(got, fail) {
		t.Errorf("failed are %q, want %q\n%s", got, fail, text(r))
	}
	return r
}

func text(r *audit.Report) string {
	var b strings.Builder
	for _, c := range r.Checks {
		b.WriteString(c.Name + " " + c.Outcome + ": " + c.Said + "\n")
	}
	return b.String()
}

func said(r *audit.Report, check string) string {
	for _, c := range r.Checks {
		if c.Name == check {
			return c.Said
		}
	}
	return ""
}

func TestAnHonestDecisionPasses(t *testing.T) {
	w := newWorld(t, "log.example")
	w.fill(300)
	earlier := w.checkpoint(t)
	w.fill(20)
	at := w.add(bytesOf(t, decided()))
	w.fill(500)
	b := w.bundle(t, at, 300)
	r := expect(t, b, audit.Options{Key: w.key(t), Earlier: [][]byte{earlier, w.checkpoint(t)}})
	if !r.Given || r.Index != 320 || r.Size != 821 || r.Origin != "log.example" || r.TraceID != decided().TraceId {
		t.Errorf("report %+v", r)
	}
	r = expect(t, b, audit.Options{})
	if r.Given || !strings.Contains(said(r, audit.Signature), "nobody but the server") {
		t.Errorf("without a key the report says %s", said(r, audit.Signature))
	}
	var file bytes.Buffer
	must(t, audit.Write(&file, b))
	again, err := audit.Read(&file)
	if err != nil || !proto.Equal(b, again) {
		t.Errorf("the bundle's file reads as something else: %v", err)
	}
}

func TestRefusedAndExecutedAndRemovedPass(t *testing.T) {
	refused := decided()
	refused.Status, refused.Decision = "refused", &caiov1.Decision{Objective: "contract", Coefficients: proof.Coefficients(), Unlisted: 4,
		Candidates: refused.Decision.Candidates[:1], Error: &caiov1.Error{Code: "BUDGET_EXCEEDED"}}
	seal(refused)
	executed := decided()
	executed.Status, executed.ServiceId = "ok", "slow"
	executed.Attempts = []*caiov1.Attempt{{ServiceId: "fast", Outcome: "failed"}, {ServiceId: "slow", Outcome: "ok"}}
	removed := &caiov1.Trace{TraceId: "ff", Time: timestamppb.New(noon), Status: "ok", Erasure: &caiov1.Erasure{Reason: "request", Tenant: "acme",
		Count: 2, Ranges: []*caiov1.Range{{First: 0, Last: 0}, {First: 2, Last: 3}}}}
	w := newWorld(t, "log.example")
	w.fill(5)
	for _, trace := range []*caiov1.Trace{refused, executed, removed} {
		at := w.add(bytesOf(t, trace))
		r := expect(t, w.bundle(t, at, 0), audit.Options{Key: w.key(t)})
		if trace == removed && !strings.Contains(said(r, audit.Erasure), `2 bodies of "acme" of entries 0 to 3`) {
			t.Errorf("a removal is described as %s", said(r, audit.Erasure))
		}
	}
}

// TestWhatDoesNotBelongIsNamed forges the trace by somebody who has the log's own key and enters it anew, so that nothing
// but the trace itself can tell.
func TestWhatDoesNotBelongIsNamed(t *testing.T) {
	for name, forgery := range map[string]struct {
		forge func(*caiov1.Trace)
		seal  bool // prove it anew
		fail  []string
	}{
		"request":             {func(t *caiov1.Trace) { t.Request.Capabilities = []string{"chat"} }, false, []string{audit.Inputs, audit.Proofs}},
		"demand":              {func(t *caiov1.Trace) { t.Request.Guarantees["accuracy"].Min = nil }, false, []string{audit.Inputs, audit.Proofs}},
		"tenant":              {func(t *caiov1.Trace) { t.Request.Principal.Tenant = "other" }, false, []string{audit.Inputs, audit.Identity}},
		"subject":             {func(t *caiov1.Trace) { t.Request.Principal.Subject = "u2" }, false, []string{audit.Inputs, audit.Identity}},
		"trust":               {func(t *caiov1.Trace) { t.Request.Principal.TrustLevel = 9 }, false, []string{audit.Inputs, audit.Identity}},
		"service":             {func(t *caiov1.Trace) { t.Decision.ServiceId = "slow" }, false, []string{audit.Inputs, audit.Proofs}},
		"service, proven":     {func(t *caiov1.Trace) { t.Decision.ServiceId = "slow" }, true, []string{audit.Proofs}},
		"ranking, proven":     {func(t *caiov1.Trace) { slices.Reverse(t.Decision.Ranking) }, true, []string{audit.Proofs}},
		"score":               {func(t *caiov1.Trace) { *t.Decision.Candidates[2].Score = 0.9 }, false, []string{audit.Proofs}},
		"score, proven":       {func(t *caiov1.Trace) { *t.Decision.Candidates[2].Score = 0.1 }, true, []string{audit.Proofs}},
		"term":                {func(t *caiov1.Trace) { t.Decision.Candidates[1].Terms["risk"] = 0 }, false, []string{audit.Proofs}},
		"guarantee":           {func(t *caiov1.Trace) { *t.Decision.Guarantees["latency"].Bound.Max = 1 }, false, []string{audit.Proofs}},
		"time":                {func(t *caiov1.Trace) { t.Time = timestamppb.New(noon.Add(time.Second)) }, false, []string{audit.Identity}},
		"history":             {func(t *caiov1.Trace) { t.Decision.Candidates[1].History.Requests = 9 }, false, []string{audit.Inputs}},
		"seed":                {func(t *caiov1.Trace) { t.Decision.Seed++ }, false, []string{audit.Proofs}},
		"policies":            {func(t *caiov1.Trace) { t.Decision.Inputs.Policies = digest("others") }, false, []string{audit.Inputs}},
		"contract":            {func(t *caiov1.Trace) { t.Decision.Candidates[1].ContractDigest = digest("x") }, false, []string{audit.Inputs}},
		"objective":           {func(t *caiov1.Trace) { t.Decision.Objective = "field" }, false, []string{audit.Inputs, audit.Proofs}},
		"coefficients":        {func(t *caiov1.Trace) { t.Decision.Coefficients["rho"] = 0 }, false, []string{audit.Inputs}},
		"a proof less":        {func(t *caiov1.Trace) { t.Decision.Proofs = slices.Delete(t.Decision.Proofs, 3, 4) }, false, []string{audit.Proofs}},
		"a proof more":        {func(t *caiov1.Trace) { t.Decision.Proofs = append(t.Decision.Proofs, t.Decision.Proofs[1]) }, false, []string{audit.Proofs}},
		"a candidate less":    {func(t *caiov1.Trace) { t.Decision.Candidates = t.Decision.Candidates[:2] }, false, []string{audit.Inputs, audit.Proofs}},
		"an outcome":          {func(t *caiov1.Trace) { t.Decision.Candidates[2].Outcome = "latency" }, false, []string{audit.Proofs}},
		"attempt":             {func(t *caiov1.Trace) { t.Attempts, t.Status = []*caiov1.Attempt{{ServiceId: "dear"}}, "failed" }, false, []string{audit.Execution}},
		"skipped the best":    {func(t *caiov1.Trace) { t.Attempts, t.Status = []*caiov1.Attempt{{ServiceId: "slow"}}, "failed" }, false, []string{audit.Execution}},
		"status":              {func(t *caiov1.Trace) { t.Status = "ok" }, false, []string{audit.Execution}},
		"evidence":            {func(t *caiov1.Trace) { evidence(t, proof.AccessControl, "required_trust_level", 9) }, false, []string{audit.Proofs}},
		"evidence of a price": {func(t *caiov1.Trace) { evidence(t, proof.Budget, "cost", 2) }, false, []string{audit.Proofs}},
	} {
		t.Run(name, func(t *testing.T) {
			trace := decided()
			forgery.forge(trace)
			if forgery.seal {
				seal(trace)
			}
			w := newWorld(t, "log.example")
			w.fill(3)
			expect(t, w.bundle(t, w.add(bytesOf(t, trace)), 0), audit.Options{Key: w.key(t)}, forgery.fail...)
		})
	}
}

// evidence changes one number of a proof's evidence.
func evidence(t *caiov1.Trace, property, key string, n float64) {
	for _, p := range t.Decision.Proofs {
		if p.Property == property {
			p.Evidence.Fields[key] = number(n)
		}
	}
}

// TestAFieldSaidTwiceIsNoHidingPlace: decoders merge the two, and the digest could be of either.
func TestAFieldSaidTwiceIsNoHidingPlace(t *testing.T) {
	trace := decided()
	raw := append(bytesOf(t, &caiov1.Trace{Request: &caiov1.Request{Match: "any"}}), bytesOf(t, trace)...)
	w := newWorld(t, "log.example")
	r := expect(t, w.bundle(t, w.add(raw), 0), audit.Options{Key: w.key(t)}, audit.Format, audit.Inputs)
	if !strings.Contains(said(r, audit.Format), "request twice") {
		t.Errorf("said %s", said(r, audit.Format))
	}
}

func TestAWitnessTellsWhenATraceWasThere(t *testing.T) {
	w := newWorld(t, "log.example")
	at := w.add(bytesOf(t, decided()))
	witness, other := newWitness(t, "w.example"), newWitness(t, "x.example")
	seen := func(when time.Time) *caiov1.Bundle {
		b := w.bundle(t, at, 0)
		b.Log.Checkpoint = witness.cosign(b.Log.Checkpoint, when)
		return b
	}
	opts := audit.Options{Key: w.key(t), Witnesses: witness.keys(t)}
	r := expect(t, seen(noon.Add(time.Hour)), opts)
	if want := "w.example at 2026-11-22T13:00:00Z"; !strings.Contains(said(r, audit.Witnesses), want) {
		t.Errorf("said %s", said(r, audit.Witnesses))
	}
	expect(t, seen(noon.Add(-time.Hour)), opts, audit.Identity)
	expect(t, w.bundle(t, at, 0), opts, audit.Witnesses)
	expect(t, seen(noon), audit.Options{Key: w.key(t), Witnesses: other.keys(t)}, audit.Witnesses)
	// An earlier checkpoint that holds it already tells, too.
	early := witness.cosign(w.checkpoint(t), noon.Add(-time.Hour))
	w.fill(9)
	late := w.bundle(t, at, 1)
	late.Log.Checkpoint = witness.cosign(late.Log.Checkpoint, noon.Add(time.Hour))
	opts.Earlier = [][]byte{early}
	expect(t, late, opts, audit.Identity)
}

func TestALogThatWasChangedIsNamed(t *testing.T) {
	raw := bytesOf(t, decided())
	w := newWorld(t, "log.example")
	w.fill(40)
	at := w.add(raw)
	w.fill(40)
	known := w.checkpoint(t)
	opts := audit.Options{Key: w.key(t), Earlier: [][]byte{known}}
	rebuilt := func(raws [][]byte) *world {
		again := &world{signer: w.signer}
		for _, raw := range raws {
			again.add(raw)
		}
		return again
	}

	dropped := rebuilt(slices.Delete(slices.Clone(w.raws), 3, 4))
	dropped.fill(9)
	expect(t, dropped.bundle(t, at-1, 81), opts, audit.Consistency)

	swapped := slices.Clone(w.raws)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	expect(t, rebuilt(swapped).bundle(t, at, 0), opts, audit.Consistency)

	cut := rebuilt(w.raws[:50])
	r := expect(t, cut.bundle(t, at, 0), opts, audit.Consistency)
	if !strings.Contains(said(r, audit.Consistency), "truncated, or an old checkpoint") {
		t.Errorf("said %s", said(r, audit.Consistency))
	}

	w.fill(3)
	unshown := w.bundle(t, at, 0)
	expect(t, unshown, opts, audit.Consistency)
	another := w.bundle(t, at, 81)
	another.Log.Index++
	expect(t, another, opts, audit.Inclusion)
	changed := w.bundle(t, at, 81)
	changed.Trace = bytes.Replace(raw, []byte("acme"), []byte("ecma"), -1)
	r = audit.Verify(changed, opts)
	if !slices.Contains(r.Failures(), audit.Inclusion) {
		t.Errorf("changed bytes:\n%s", text(r))
	}

	forger := rebuilt(w.raws)
	forger.signer = newWorld(t, "log.example").signer
	expect(t, forger.bundle(t, at, 0), audit.Options{Key: w.key(t)}, audit.Signature)
	expect(t, forger.bundle(t, at, 0), audit.Options{})
}
