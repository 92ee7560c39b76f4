package engine

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// limitReason is the reason of a hard limit with its facts, at most two numbers and two texts, in one piece of memory: a
// decision may refuse hundreds.
type limitReason struct {
	reason  caiov1.Reason
	facts   structpb.Struct
	values  [4]structpb.Value
	numbers [2]structpb.Value_NumberValue
	texts   [2]structpb.Value_StringValue

	numbered, texted int // how many of them are facts
}

func newLimitReason(rule string, message []byte) *limitReason {
	l := &limitReason{}
	l.facts.Fields = make(map[string]*structpb.Value, len(l.values))
	l.reason.Rule, l.reason.Message, l.reason.Facts = rule, string(message), &l.facts
	return l
}

func (l *limitReason) number(name string, n float64) {
	kind, v := &l.numbers[l.numbered], &l.values[len(l.facts.Fields)]
	l.numbered++
	kind.NumberValue, v.Kind = n, kind
	l.facts.Fields[name] = v
}

func (l *limitReason) text(name, s string) {
	kind, v := &l.texts[l.texted], &l.values[len(l.facts.Fields)]
	l.texted++
	kind.StringValue, v.Kind = s, kind
	l.facts.Fields[name] = v
}

func overBudget(p proof.Price, b *caiov1.Budget) *caiov1.Reason {
	var memory [160]byte
	message := memory[:0]
	switch {
	case p.Known && p.Currency != b.Currency:
		message = fmt.Appendf(message, "priced in %s; budget.currency is %s", p.Currency, b.Currency)
	case p.Known:
		message = append(appendDecimal(append(message, "estimated cost "...), p.Cost), ' ')
		message = append(append(message, p.Currency...), " is over the budget of "...)
		message = appendDecimal(message, b.MaxCost)
		if p.OutputTokens > 0 {
			message = appendDecimal(append(message, "; it counts "...), p.OutputTokens)
			message = append(message, " tokens written, which max_tokens in the intent lowers"...)
		}
	default:
		message = append(message, p.Unknown...)
	}
	l := newLimitReason("request.budget", message)
	l.number("request.budget.max_cost", b.MaxCost)
	l.text("request.budget.currency", b.Currency)
	l.text("service.cost.currency", p.Currency)
	if p.Known {
		l.number("estimated_cost", p.Cost)
	}
	return &l.reason
}

func tooSlow(p *profile, limit float64) *caiov1.Reason {
	var memory [128]byte
	message := append(memory[:0], "the contract promises no latency"...)
	if p.promises() {
		message = appendDecimal(append(memory[:0], "promised latency "...), p.promised)
		message = appendDecimal(append(message, " ms is over the cap of "...), limit)
		message = append(message, " ms"...)
	}
	l := newLimitReason("request.max_latency_ms", message)
	l.number("request.max_latency_ms", limit)
	if p.promises() {
		l.number("service.guarantees.latency.bound.max", p.promised)
	}
	return &l.reason
}

// appendDecimal writes n without an exponent, as prices are read.
func appendDecimal(b []byte, n float64) []byte { return strconv.AppendFloat(b, n, 'f', -1, 64) }

// decimal writes n as appendDecimal does.
func decimal(n float64) string { return string(appendDecimal(nil, n)) }
