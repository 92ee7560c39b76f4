package engine

import (
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	"github.com/smarthausgroup/caio/runtime/proof"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A Decision is a caio.v1.Decision in the form in which it is stored and sent: its bytes, written once, and beside them
// what whoever executes it needs. It must not be changed.
type Decision struct {
	ServiceID string        // the service chosen; empty: none
	Ranking   []string      // those that can serve, best first
	Error     *caiov1.Error // why nobody can serve; nil: somebody can

	framed []byte // a byte of tag, the length of raw, raw; then the recorded request, framed likewise
	after  int    // where in framed the request begins
	raw    []byte
	tally  tally
}

// Raw returns the serialized message. Written in protobuf's deterministic form, it is the same for the same decision.
func (d *Decision) Raw() []byte { return d.raw }

// Message decodes the decision. The message is the caller's own.
func (d *Decision) Message() (*caiov1.Decision, error) {
	m := &caiov1.Decision{}
	if err := proto.Unmarshal(d.raw, m); err != nil {
		return nil, fail("INTERNAL", "decide", "read the decision", err)
	}
	return m, nil
}

// refusal is the error of a request that nobody can serve: why, and why each candidate fell.
func (d *Decision) refusal() error {
	m, err := d.Message()
	if err != nil {
		return err
	}
	m.Error.Candidates = m.Candidates
	return &Error{m.Error, nil}
}

// enter makes d the field decision of m, a response, without decoding it: m carries the bytes as a field that its Go type
// does not know. They are what is sent; m's getters do not see them, schema.Decoded does. All messages that d was entered
// into share the bytes, so that field has the same number in all of them.
func (d *Decision) enter(m proto.Message) { m.ProtoReflect().SetUnknown(d.framed[:d.after:d.after]) }

// record enters d into its trace, and with it the request that it is about, in the bytes that it names by their digest.
func (d *Decision) record(t *caiov1.Trace) { t.ProtoReflect().SetUnknown(d.framed) }

// decisionField is the number of the field decision, in a Trace and in the responses that carry one.
const decisionField = 6

// A tally is what the sentence about a choice says of the others.
type tally struct {
	candidates   int
	fell         [len(funnel)]int // by step
	best, second float64          // scores
}

// decision writes what was decided, the last field first.
func (c *choice) decision() (*Decision, error) {
	d := &Decision{tally: c.tally()}
	c.Raw(c.req.framed)
	request := c.Len()
	c.Bool(13, c.listAll)
	if c.fields != nil {
		if err := c.writeReading(); err != nil {
			return nil, err
		}
	}
	c.Int(11, int64(c.unlisted))
	c.Raw(c.shared.objective[c.form()])
	if err := c.writeChoice(d); err != nil {
		return nil, err
	}
	for i := len(c.entries) - 1; i >= 0; i-- {
		c.writeCandidate(i, d.ServiceID)
	}
	c.String(1, d.ServiceID)

	n := c.Len() - request
	c.Message(decisionField, request)
	d.framed = append([]byte(nil), c.Bytes()...) // unlike make, this clears nothing that is then overwritten
	d.after = len(d.framed) - request
	d.raw = d.framed[d.after-n : d.after : d.after]
	return d, nil
}

func (c *choice) tally() tally {
	t := tally{candidates: len(c.entries)}
	for i := range c.entries {
		if at := step(c.entries[i].outcome); at >= 0 {
			t.fell[at]++
		}
	}
	if len(c.ranked) > 0 {
		t.best = c.ranked[0].Score
	}
	if len(c.ranked) > 1 {
		t.second = c.ranked[1].Score
	}
	return t
}

// writeChoice writes what depends on who is chosen: fields guarantees to proofs.
func (c *choice) writeChoice(d *Decision) error {
	if len(c.ranked) == 0 {
		d.Error = c.nobody()
		c.writeInputs()
		c.Uint(6, c.seed)
		raw, err := deterministic.Marshal(d.Error)
		if err != nil {
			return fail("INTERNAL", "decide", "say why nobody can serve", err)
		}
		mark := c.Len()
		c.Raw(raw)
		c.Message(4, mark)
		for i := range c.entries {
			c.fates = append(c.fates, proof.Fate{Service: c.entries[i].id, Outcome: c.entries[i].outcome})
		}
		c.NobodyLeft(c.fates, c.unlisted)
		return nil
	}
	at := c.chosen()
	e := &c.entries[at]
	same, err := e.choose()
	if err != nil {
		return fail("INTERNAL", "decide", "prove the decision", err)
	}
	d.ServiceID, d.Ranking = e.id, make([]string, len(c.ranked))
	for i := range c.ranked {
		d.Ranking[i] = c.ranked[i].Service
	}
	c.Raw(same.guarantees)
	c.writeInputs()
	c.Uint(6, c.seed)
	for i := len(c.ranked) - 1; i >= 0; i-- {
		c.PresentString(5, c.ranked[i].Service)
	}
	c.Raw(same.composition)
	if c.form() == proof.ByField {
		c.Stable(e.id, &c.fields.drive)
	}
	c.Optimum(c.ranked, c.seed)
	c.Fast(e.contract, c.req.MaxLatencyMs)
	c.Affordable(e.id, &e.price, c.req.Budget)
	if c.fields != nil {
		c.Constrained(e.id, c.limits(at))
	}
	c.Security(e.contract, c.req.Principal, c.req.Data)
	c.NoRefusal(e.id, c.Policies.Digest(), c.req.digest, e.digest, c.Policies.Judging(c.req.Principal.GetTenant()))
	c.Match(e.contract, e.offered, c.req.Request)
	return nil
}

// chosen returns the position of the first in the ranking among the entries.
func (c *choice) chosen() int {
	at := 0
	for c.entries[at].id != c.ranked[0].Service {
		at++
	}
	return at
}

// writeInputs names everything that decided.
func (c *choice) writeInputs() {
	c.text = c.text[:0]
	for i := range c.entries {
		if e := &c.entries[i]; e.outcome == eligible {
			c.text = e.past.appendDigested(c.text, e.id)
		}
	}
	mark := c.Len()
	c.String(5, c.shared.configuration[c.form()])
	c.String(4, schema.Digest(c.text))
	c.String(3, c.Policies.Digest())
	c.String(2, c.Registry.Digest())
	c.String(1, c.req.digest)
	c.Message(7, mark)
}

func (c *choice) writeCandidate(i int, chosen string) {
	e, start := &c.entries[i], c.Len()
	if c.fields != nil {
		c.writeConstraints(i)
	}
	outcome := e.outcome
	if outcome == eligible {
		if e.id == chosen {
			outcome = selected
		}
		mark := c.Len()
		e.past.write(&c.Writer.Writer)
		c.Message(7, mark)
	}
	c.String(6, e.digest)
	if e.outcome == eligible {
		c.form().Write(&e.terms, &c.Writer.Writer, 5)
		c.PresentDouble(4, e.score)
	}
	for i := len(e.reasons) - 1; i >= 0; i-- {
		c.writeReason(e.reasons[i])
	}
	c.String(2, outcome)
	c.String(1, e.id)
	c.Message(2, start)
}

// A span is a piece of what was written, by its distances from the end.
type span struct{ from, to int }

// writeReason writes r as field reasons of a candidate. What speaks against one candidate mostly speaks against many, in
// the same message: that is copied from where it was written first.
func (c *choice) writeReason(r *caiov1.Reason) {
	if s, ok := c.written[r]; ok {
		c.Raw(c.Between(s.from, s.to))
		return
	}
	start := c.Len()
	writeReason(&c.Writer.Writer, r)
	c.Message(3, start)
	if c.written == nil {
		c.written = map[*caiov1.Reason]span{}
	}
	c.written[r] = span{start, c.Len()}
}

func writeReason(w *wire.Writer, r *caiov1.Reason) {
	if r.Facts != nil {
		mark := w.Len()
		w.Struct(r.Facts)
		w.Message(7, mark)
	}
	w.String(6, r.Message)
	w.Int(5, int64(r.Line))
	w.String(4, r.File)
	w.String(3, r.Title)
	w.String(2, r.Package)
	w.String(1, r.Rule)
}
