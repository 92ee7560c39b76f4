package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A Replayer decides again what one Snapshot of a bundle decided. It needs no server, no store and no network, takes
// nothing that it was given for true, and never changes. Safe for concurrent use.
type Replayer struct {
	snapshot  *Snapshot
	contracts map[string]string // digests, by service
	altered   []Mismatch        // contracts that do not have the digest under which they came
}

// Replayed is what came of deciding again.
type Replayed struct {
	Same   bool          // the decision has the very bytes that the trace holds
	Inputs []Mismatch    // what the decision names by a digest that it does not have, in the order of Inputs
	Fields []Mismatch    // where the two decisions differ, at most maxChanges; empty where Blind is not
	Blind  []policy.Rule // that read the intent's body, which the trace does not hold: nothing was decided again
}

// A Mismatch is something that is not what was recorded.
type Mismatch struct {
	Name     string // such as "registry", "contract echo", "candidates[echo].score"
	Recorded string // as the trace has it
	Found    string // as it was found, or came out
}

// String returns "name: recorded, found".
func (m Mismatch) String() string { return m.Name + ": recorded " + m.Recorded + ", found " + m.Found }

// NewReplayer builds what decided out of s. Policies are evaluated by on; empty: policy.OPA, which shares no code of
// evaluation with what decided. It fails where s holds what no server would have decided by: a contract that is none,
// policies that do not compile.
func NewReplayer(s *caiov1.Snapshot, on policy.Engine) (*Replayer, error) {
	if on == "" {
		on = policy.OPA
	}
	r := &Replayer{contracts: map[string]string{}}
	services := make([]*contract.Service, 0, len(s.GetContracts()))
	for _, file := range s.GetContracts() {
		c, err := restored(file)
		if err != nil {
			return nil, fail("INVALID_CONTRACT", "replay", fmt.Sprintf("read the contract of %.64q", file.GetServiceId()), err)
		}
		if c.Digest() != file.GetDigest() {
			r.altered = append(r.altered, Mismatch{"contract " + c.ID(), file.GetDigest(), c.Digest()})
		}
		r.contracts[c.ID()] = c.Digest()
		services = append(services, &contract.Service{Contract: c})
	}
	set, err := policy.LoadFiles(s.GetPolicies())
	if err != nil {
		return nil, invalidPolicy(err)
	}
	if r.snapshot, err = NewSnapshot(contract.NewRegistry(services...), set, on, nil); err != nil {
		return nil, fail("INVALID_CONTRACT", "replay", "prepare the contracts", err)
	}
	return r, nil
}

// restored returns the contract whose normal form file holds. It is taken as it is: what decided was valid by the schema of
// its day, which need not be today's. That it is what decided, the registry's digest tells.
func restored(file *caiov1.ContractFile) (*contract.Contract, error) {
	m := &caiov1.Contract{}
	if err := schema.ParseJSON(file.GetSource(), m); err != nil {
		return nil, err
	}
	for name, g := range m.GetGuarantees() {
		if g.GetBound() == nil {
			return nil, fmt.Errorf("guarantees.%s has no bound", name)
		}
	}
	message, err := deterministic.Marshal(m)
	if err != nil {
		return nil, err
	}
	return contract.Restore(contract.Stored{Filename: m.GetServiceId(), JSON: file.GetSource(), Message: message})
}

// Replay decides again what stands in raw, the serialized trace, and tells whether the same bytes come out. History, seed
// and the list of candidates are as the decision recorded them; all else is as r has it. It fails if raw is no trace of a
// decision, or the policies end in no answer.
func (r *Replayer) Replay(ctx context.Context, raw []byte) (*Replayed, error) {
	c, err := openCase(raw)
	if err != nil {
		return nil, fail("INVALID_REQUEST", "replay", "read the trace", err)
	}
	out := &Replayed{Inputs: r.inputs(c)}
	q, fault := c.question()
	if fault != nil {
		out.Inputs = append(out.Inputs, *fault)
	}
	if c.withoutBody() {
		if out.Blind = r.snapshot.Policies.ReadingIntent(q.GetPrincipal().GetTenant()); len(out.Blind) > 0 {
			return out, nil
		}
	}
	again, err := decide(ctx, r.snapshot, RecordedPast(c.decision), q, c.decision.GetSeed(), c.decision.GetListAll(), onlyVisible)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(again.Raw(), c.decided) {
		out.Same = len(out.Inputs) == 0
		return out, nil
	}
	m, err := again.Message()
	if err != nil {
		return nil, err
	}
	// Of the inputs these two are only known once it was decided.
	for _, i := range [...]Mismatch{
		{"history", c.decision.GetInputs().GetHistory(), m.GetInputs().GetHistory()},
		{"configuration", c.decision.GetInputs().GetConfiguration(), m.GetInputs().GetConfiguration()},
	} {
		if i.Recorded != i.Found {
			out.Inputs = append(out.Inputs, i)
		}
	}
	out.Fields = differing(c.decision, m)
	return out, nil
}

// Replay is NewReplayer and Replayer.Replay for one trace.
func Replay(ctx context.Context, raw []byte, s *caiov1.Snapshot, on policy.Engine) (*Replayed, error) {
	r, err := NewReplayer(s, on)
	if err != nil {
		return nil, err
	}
	return r.Replay(ctx, raw)
}

// inputs holds what r has against what the decision names.
func (r *Replayer) inputs(c *replayCase) []Mismatch {
	named := c.decision.GetInputs()
	all := []Mismatch{
		{"request", named.GetRequest(), schema.Digest(c.recorded)},
		{"registry", named.GetRegistry(), r.snapshot.Registry.Digest()},
		{"policies", named.GetPolicies(), r.snapshot.Policies.Digest()},
	}
	out := slices.DeleteFunc(all, func(m Mismatch) bool { return m.Recorded == m.Found })
	out = append(out, r.altered...)
	for _, candidate := range c.decision.GetCandidates() {
		have := r.contracts[candidate.GetServiceId()]
		if have != candidate.GetContractDigest() {
			out = append(out, Mismatch{"contract " + candidate.GetServiceId(), candidate.GetContractDigest(), have})
		}
	}
	return out
}

// A replayCase is a trace that is to be decided again.
type replayCase struct {
	trace    *caiov1.Trace
	decision *caiov1.Decision
	recorded []byte         // the bytes of the request
	decided  []byte         // the bytes of the decision
	intent   []byte         // the bytes of the intent that was kept; nil: none was
	body     *caiov1.Intent // what intent holds, once it was found to be what was asked
}

func openCase(raw []byte) (*replayCase, error) {
	c := &replayCase{trace: &caiov1.Trace{}}
	if err := proto.Unmarshal(raw, c.trace); err != nil {
		return nil, err
	}
	c.decision = c.trace.GetDecision()
	if w := c.trace.GetWorkflow(); w != nil && c.decision == nil {
		return nil, errors.New("it is that of a workflow; each of its steps was decided by itself, and has a trace")
	}
	if c.decision == nil || c.trace.GetRequest() == nil {
		return nil, errors.New("nothing was decided")
	}
	var err error
	if c.recorded, err = only(raw, requestOfTrace); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if c.decided, err = only(raw, decisionField); err != nil {
		return nil, fmt.Errorf("decision: %w", err)
	}
	if c.trace.GetKept().GetIntent() != nil {
		kept, err := only(raw, keptOfTrace)
		if err == nil {
			c.intent, err = only(kept, intentOfKept)
		}
		if err != nil {
			return nil, fmt.Errorf("kept: %w", err)
		}
	}
	return c, nil
}

// only returns the content of the field of that number in raw, which is a message. Given twice it would be merged, and no
// longer be the bytes that a digest is of.
func only(raw []byte, number protowire.Number) (content []byte, err error) {
	found := 0
	for len(raw) > 0 {
		field, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		size := protowire.ConsumeFieldValue(field, kind, raw[n:])
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		if field == number && kind == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(raw[n:])
			found++
		}
		raw = raw[n+size:]
	}
	if found != 1 {
		return nil, fmt.Errorf("it stands there %d times, not once", found)
	}
	return content, nil
}

// question returns what was asked, with the body where it was kept and is what it was; fault: it is not.
func (c *replayCase) question() (q *question, fault *Mismatch) {
	recorded := c.trace.GetRequest()
	if c.intent != nil {
		if found := schema.Digest(slices.Concat(c.trace.GetSalt(), c.intent)); found != recorded.GetPayload().GetDigest() {
			fault = &Mismatch{"payload", recorded.GetPayload().GetDigest(), found}
		} else {
			c.body = c.trace.GetKept().GetIntent()
		}
	}
	return askAgain(recorded, c.body, schema.Digest(c.recorded)), fault
}

// withoutBody tells whether the intent had a body that the trace does not hold.
func (c *replayCase) withoutBody() bool {
	return c.body == nil && c.trace.GetRequest().GetPayload().GetBody() != ""
}
