package contract

import (
	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// limits are the numbers of a contract's constraints: a request demands at least so much, and what is not stated meets
// no demand.
var limits = [...]limit{
	{"max_concurrent_requests", "concurrent requests",
		func(d *caiov1.Demands) (float64, bool) { return whole(d.MaxConcurrentRequests) },
		func(c *caiov1.Constraints) (float64, bool) { return whole(c.MaxConcurrentRequests) }},
	{"max_tokens_per_request", "tokens a request",
		func(d *caiov1.Demands) (float64, bool) { return whole(d.MaxTokensPerRequest) },
		func(c *caiov1.Constraints) (float64, bool) { return whole(c.MaxTokensPerRequest) }},
	{"context_length", "tokens of context",
		func(d *caiov1.Demands) (float64, bool) { return whole(d.ContextLength) },
		func(c *caiov1.Constraints) (float64, bool) { return whole(c.ContextLength) }},
	{"requests_per_second", "requests a second",
		func(d *caiov1.Demands) (float64, bool) { return d.GetRequestsPerSecond(), d.RequestsPerSecond != nil },
		func(c *caiov1.Constraints) (float64, bool) { return perSecond(c.RateLimit) }},
}

// A limit reads one number of messages that are not nil; false: it is not there.
type limit struct {
	name, unit string
	demanded   func(*caiov1.Demands) (float64, bool)
	stated     func(*caiov1.Constraints) (float64, bool)
}

func whole(n *int32) (float64, bool) {
	if n == nil {
		return 0, false
	}
	return float64(*n), true
}

// perSecond is the rate a service takes; where both are stated, the lower holds.
func perSecond(limit *caiov1.RateLimit) (rate float64, stated bool) {
	if limit == nil {
		return 0, false
	}
	rate, stated = limit.GetRequestsPerSecond(), limit.RequestsPerSecond != nil
	if limit.RequestsPerMinute != nil {
		if minutely := *limit.RequestsPerMinute / 60; !stated || minutely < rate {
			return minutely, true
		}
	}
	return rate, stated
}

// judgeConstraints returns a reason for everything that the surroundings do not provide or the service does not take.
// Facts: constraint, demanded, promised (what the contract states; null: nothing).
func (d *demands) judgeConstraints(c *caiov1.Constraints) (reasons []*caiov1.Reason) {
	if d.constraints == nil {
		return nil
	}
	if c == nil {
		c = &caiov1.Constraints{}
	}
	absent := func(name, what string, provided *bool, required bool) {
		if provided == nil || *provided || !required {
			return
		}
		reasons = append(reasons, d.shared.reason(reasonKey{step: "constraint", about: name}, func() *caiov1.Reason {
			return newReason("contract.constraint", "requires "+what+"; the request has none ("+name+" is false)", facts{
				"constraint": d.shared.text(name), "demanded": structpb.NewBoolValue(false), "promised": structpb.NewBoolValue(true),
			})
		}))
	}
	absent("requires_gpu", "a GPU", d.constraints.RequiresGpu, c.GetRequiresGpu())
	absent("requires_internet", "the internet", d.constraints.RequiresInternet, c.GetRequiresInternet())
	for i := range limits {
		l := &limits[i]
		demanded, asked := l.demanded(d.constraints)
		number, stated := l.stated(c)
		if !asked || stated && number >= demanded {
			continue
		}
		promised, found := structpb.NewNullValue(), "states no "+l.name
		if stated {
			promised, found = structpb.NewNumberValue(number), "takes at most "+digits(number)+" "+l.unit
		}
		reasons = append(reasons, newReason("contract.constraint", found+"; "+digits(demanded)+" "+l.unit+" are demanded", facts{
			"constraint": d.shared.text(l.name), "demanded": structpb.NewNumberValue(demanded), "promised": promised,
		}))
	}
	return reasons
}
