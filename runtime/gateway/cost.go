package gateway

import (
	"math"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// cost returns what an execution cost by the contract's prices, and whether that is known: every price that is needed
// must be stated, and the usage too as soon as tokens have a price. What is not known is never taken for nothing.
func cost(prices *caiov1.Cost, usage *caiov1.Usage) (float64, bool) {
	if prices == nil {
		return 0, false
	}
	tokens := prices.GetPerToken()
	priced := tokens != nil && (tokens.In != nil || tokens.Out != nil)
	if prices.PerRequest == nil && !priced {
		return 0, false
	}
	total := prices.GetPerRequest()
	if priced {
		if usage == nil || tokens.In == nil && usage.GetInputTokens() != 0 || tokens.Out == nil && usage.GetOutputTokens() != 0 {
			return 0, false
		}
		total += tokens.GetIn()*float64(usage.GetInputTokens()) + tokens.GetOut()*float64(usage.GetOutputTokens())
	}
	if math.IsNaN(total) || math.IsInf(total, 0) || total < 0 {
		return 0, false
	}
	return total, true
}
