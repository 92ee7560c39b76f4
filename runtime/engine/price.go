package engine

import (
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// estimate returns what contract c asks for one execution of intent, before it is known how many tokens it takes.
//
// Tokens read are taken as a quarter of the intent's bytes, the usual rule of thumb. Tokens written are what the
// request allows (max_tokens), else what the contract allows (max_tokens_per_request, context_length): a budget is a
// hard limit, so an answer of unbounded length has no known price. Intents that do not generate text write none. A price
// that float64 cannot hold is not known either: one absurd contract must not make a decision of all others unreadable.
func estimate(c *caiov1.Contract, intent *caiov1.Intent) proof.Price {
	price := proof.Price{Currency: c.GetCost().GetCurrency()}
	cost, token := c.GetCost(), c.GetCost().GetPerToken()
	if (cost == nil || cost.PerRequest == nil) && (token == nil || token.In == nil && token.Out == nil) {
		price.Unknown = "the contract states no cost"
		return price
	}
	price.Cost = cost.GetPerRequest()
	if token.GetIn() > 0 && intent != nil {
		price.InputTokens = math.Ceil(float64(proto.Size(intent)) / 4)
		price.Cost += float64(token.GetIn() * price.InputTokens)
	}
	if token.GetOut() > 0 {
		written, bounded := outputTokens(c.GetConstraints(), intent)
		if !bounded {
			price.Unknown = "the answer's length is not bounded: set max_tokens in the intent"
			return price
		}
		price.OutputTokens = written
		price.Cost += float64(token.GetOut() * written)
	}
	if math.IsInf(price.Cost, 0) {
		price.Cost, price.Unknown = 0, "the price is beyond every number"
		return price
	}
	price.Known = true
	return price
}

// outputTokens returns how many tokens an answer to intent may have at most, and whether there is such a bound.
func outputTokens(c *caiov1.Constraints, intent *caiov1.Intent) (float64, bool) {
	var allowed *int32
	switch body := intent.GetBody().(type) {
	case *caiov1.Intent_Chat:
		allowed = body.Chat.MaxTokens
	case *caiov1.Intent_Code:
		allowed = body.Code.MaxTokens
	default:
		return 0, true
	}
	for _, limit := range []*int32{allowed, c.MaxTokensPerRequest, c.ContextLength} {
		if limit != nil {
			return float64(*limit), true
		}
	}
	return 0, false
}
