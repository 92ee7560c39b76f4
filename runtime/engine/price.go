package engine

import (
	"math"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// pricing is what a contract asks for an execution. The zero value asks for nothing that is known.
type pricing struct {
	stated              bool // a cost is stated
	byPiece             bool // characters, seconds or pieces have a price: how many there will be is not known before
	currency            string
	perRequest, in, out float64 // in, out: a token
	most                float64 // tokens that the contract allows in an answer; NaN: it does not say
}

func newPricing(c *caiov1.Contract) pricing {
	cost, token := c.GetCost(), c.GetCost().GetPerToken()
	p := pricing{
		stated:     cost != nil && cost.PerRequest != nil || token != nil && (token.In != nil || token.Out != nil),
		currency:   cost.GetCurrency(),
		byPiece:    cost.GetPerCharacter() > 0 || cost.GetPerSecond() > 0 || cost.GetPerUnit() > 0,
		perRequest: cost.GetPerRequest(), in: token.GetIn(), out: token.GetOut(), most: math.NaN(),
	}
	if limits := c.GetConstraints(); limits != nil && limits.MaxTokensPerRequest != nil {
		p.most = float64(*limits.MaxTokensPerRequest)
	} else if limits != nil && limits.ContextLength != nil {
		p.most = float64(*limits.ContextLength)
	}
	return p
}

// An effort is how much a request's intent asks of whoever executes it.
type effort struct {
	read      float64 // tokens
	generates bool    // the answer is text of its own
	most      float64 // tokens that the request allows in the answer; NaN: it does not say
}

// newEffort reads an effort off what is recorded of an intent, so that the recorded request costs what the request did.
// nil: there is no intent.
func newEffort(payload *caiov1.Payload) effort {
	e := effort{most: math.NaN()}
	if payload == nil {
		return e
	}
	e.read = math.Ceil(float64(payload.GetSize()) / 4)
	e.generates = payload.GetBody() == "chat" || payload.GetBody() == "code"
	if payload.MaxTokens != nil {
		e.most = float64(*payload.MaxTokens)
	}
	return e
}

// estimate returns what p asks for one execution of e, before it is known how many tokens it takes.
//
// Tokens read are taken as a quarter of the intent's bytes, the usual rule of thumb. Tokens written are what the
// request allows (max_tokens), else what the contract allows (max_tokens_per_request, context_length): a budget is a
// hard limit, so an answer of unbounded length has no known price. Intents that do not generate text write none. A price
// that float64 cannot hold is not known either: one absurd contract must not make a decision of all others unreadable.
func (p *pricing) estimate(e *effort) proof.Price {
	price := proof.Price{Currency: p.currency}
	if p.byPiece {
		price.Unknown = "the contract states a price of characters, seconds or pieces, and nobody knows yet how many there will be"
		return price
	}
	if !p.stated {
		price.Unknown = "the contract states no cost"
		return price
	}
	price.Cost = p.perRequest
	if p.in > 0 && e.read > 0 {
		price.InputTokens = e.read
		price.Cost += float64(p.in * e.read)
	}
	if p.out > 0 && e.generates {
		written := e.most
		if math.IsNaN(written) {
			written = p.most
		}
		if math.IsNaN(written) {
			price.Unknown = "the answer's length is not bounded: set max_tokens in the intent"
			return price
		}
		price.OutputTokens = written
		price.Cost += float64(p.out * written)
	}
	if math.IsInf(price.Cost, 0) {
		price.Cost, price.Unknown = 0, "the price is beyond every number"
		return price
	}
	price.Known = true
	return price
}
