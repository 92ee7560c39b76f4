package contract

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// demands judges contracts one by one and says why they fall. It is the rule book in plain words: a service falls by the
// index if, and only if, it has a reason here. It belongs to one match and one goroutine.
type demands struct {
	capabilities []string
	demandedText string
	any          bool
	guarantees   []*guaranteeDemand // sorted by name
	constraints  *caiov1.Demands
	shared       *shared
}

func newDemands(request *caiov1.Request) *demands {
	d := &demands{
		capabilities: request.GetCapabilities(), any: request.GetMatch() == "any", constraints: request.GetConstraints(),
		shared: &shared{texts: map[string]*structpb.Value{}, reasons: map[reasonKey]*caiov1.Reason{}},
	}
	d.demandedText = strings.Join(d.capabilities, ", ")
	if len(d.capabilities) > 1 && d.any {
		d.demandedText = "any of " + d.demandedText
	} else if len(d.capabilities) > 1 {
		d.demandedText = "all of " + d.demandedText
	}
	for name, demand := range request.GetGuarantees() {
		d.guarantees = append(d.guarantees, newGuaranteeDemand(name, demand, d.shared))
	}
	slices.SortFunc(d.guarantees, func(a, b *guaranteeDemand) int { return strings.Compare(a.name, b.name) })
	return d
}

// judge returns the first step that c fails and all it fails there, or "" and nothing.
func (d *demands) judge(c *Contract) (outcome string, reasons []*caiov1.Reason) {
	missing := d.missing(c)
	if len(missing) > 0 && (!d.any || len(missing) == len(d.capabilities)) {
		return "capability", []*caiov1.Reason{d.capabilityReason(c, missing)}
	}
	for _, g := range d.guarantees {
		reasons = g.judge(c.message.GetGuarantees(), reasons)
	}
	if len(reasons) > 0 {
		return "guarantee", reasons
	}
	if reasons = d.judgeConstraints(c.message.GetConstraints()); len(reasons) > 0 {
		return "constraint", reasons
	}
	return "", nil
}

// missing returns the demanded capabilities that c does not offer.
func (d *demands) missing(c *Contract) (missing []string) {
	for _, capability := range d.capabilities {
		if !slices.ContainsFunc(c.message.GetCapabilities(), func(has *caiov1.Capability) bool { return has.GetType() == capability }) {
			missing = append(missing, capability)
		}
	}
	return missing
}

// capabilityReason has the facts demanded, offered and missing, each a list of capability types.
func (d *demands) capabilityReason(c *Contract, missing []string) *caiov1.Reason {
	return d.shared.reason(reasonKey{step: "capability", found: c.offeredText}, func() *caiov1.Reason {
		return newReason("contract.capability", "offers "+c.offeredText+"; "+d.demandedText+" is demanded", facts{
			"demanded": textList(d.capabilities), "missing": textList(missing), "offered": c.offered,
		})
	})
}

// facts are what triggered a reason.
type facts = map[string]*structpb.Value

// shared holds what the reasons of one match have in common: of thousands that fall, many say the same.
type shared struct {
	texts   map[string]*structpb.Value
	reasons map[reasonKey]*caiov1.Reason
}

// A reasonKey is what distinguishes the reasons of one match.
type reasonKey struct {
	step     string // "capability", "guarantee", "constraint"
	about    string // the guarantee type
	found    string // what is there instead
	bound    string
	number   float64
	term     *term
	promised bool
}

func (s *shared) text(of string) *structpb.Value {
	v := s.texts[of]
	if v == nil {
		v = structpb.NewStringValue(of)
		s.texts[of] = v
	}
	return v
}

// reason returns the reason that goes by key, making it the first time.
func (s *shared) reason(key reasonKey, make func() *caiov1.Reason) *caiov1.Reason {
	r := s.reasons[key]
	if r == nil {
		r = make()
		s.reasons[key] = r
	}
	return r
}

func newReason(rule, message string, facts facts) *caiov1.Reason {
	return &caiov1.Reason{Rule: rule, Message: message, Facts: &structpb.Struct{Fields: facts}}
}

func textList(texts []string) *structpb.Value {
	values := make([]*structpb.Value, len(texts))
	for i, s := range texts {
		values[i] = structpb.NewStringValue(s)
	}
	return structpb.NewListValue(&structpb.ListValue{Values: values})
}
