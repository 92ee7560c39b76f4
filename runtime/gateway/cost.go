package gateway

import (
	"math"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Who says what an execution cost, as in caio.v1.Observed.
const (
	costByContract = "contract"
	costByProvider = "provider"
)

// enterCost writes into o what an execution cost: by the contract's prices, else by the provider's own account, which is
// in US dollars; neither: it is not known.
func enterCost(o *caiov1.Observed, prices *caiov1.Cost, usage *caiov1.Usage) {
	if price, known := cost(prices, usage); known {
		o.Cost, o.Currency, o.CostSource = &price, prices.GetCurrency(), costByContract
	} else if usage != nil && usage.Cost != nil && isCost(usage.GetCost()) {
		own := usage.GetCost()
		o.Cost, o.Currency, o.CostSource = &own, "USD", costByProvider
	}
}

// cost returns what an execution cost by the contract's prices, and whether that is known: every price that is needed
// must be stated, and whatever has a price must have been counted. What is not known is never taken for nothing: a count
// of characters, seconds or pieces that is 0 was not said.
func cost(prices *caiov1.Cost, usage *caiov1.Usage) (float64, bool) {
	if prices == nil {
		return 0, false
	}
	total, known, stated := prices.GetPerRequest(), true, prices.PerRequest != nil
	if tokens := prices.GetPerToken(); tokens != nil && (tokens.In != nil || tokens.Out != nil) {
		sum, ok := tokenCost(tokens, usage)
		total, known, stated = total+sum, known && ok, true
	}
	for _, by := range [...]struct {
		price *float64
		count float64
	}{
		{prices.PerCharacter, float64(usage.GetCharacters())},
		{prices.PerSecond, usage.GetSeconds()},
		{prices.PerUnit, float64(usage.GetUnits())},
	} {
		if by.price != nil {
			total, known, stated = total+*by.price*by.count, known && (by.count > 0 || *by.price == 0), true
		}
	}
	return total, known && stated && isCost(total)
}

// tokenCost prices tokens: those that were cached or thought have a price of their own, or that of the others.
func tokenCost(tokens *caiov1.TokenCost, usage *caiov1.Usage) (float64, bool) {
	if usage == nil || tokens.In == nil && usage.GetInputTokens() != 0 || tokens.Out == nil && usage.GetOutputTokens() != 0 {
		return 0, false
	}
	or := func(price *float64, usual float64) float64 {
		if price != nil {
			return *price
		}
		return usual
	}
	read, cached, put := usage.GetInputTokens(), usage.GetCachedInputTokens(), usage.GetCacheWriteTokens()
	written, thought := usage.GetOutputTokens(), usage.GetReasoningTokens()
	in, out := tokens.GetIn(), tokens.GetOut()
	return in*float64(max(0, read-cached-put)) + or(tokens.CachedIn, in)*float64(cached) + or(tokens.CacheWrite, in)*float64(put) +
		out*float64(max(0, written-thought)) + or(tokens.Reasoning, out)*float64(thought), true
}

// isCost tells whether a number can be what something cost.
func isCost(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) && v >= 0 }
