package gateway

import (
	"math"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestCostIsKnownOnlyWhenEveryNeededNumberIs(t *testing.T) {
	p := func(v float64) *float64 { return &v }
	tokens := func(in, out *float64) *caiov1.TokenCost { return &caiov1.TokenCost{In: in, Out: out} }
	used := &caiov1.Usage{InputTokens: 1000, OutputTokens: 10}
	for name, test := range map[string]struct {
		prices *caiov1.Cost
		usage  *caiov1.Usage
		want   float64 // -1: unknown
	}{
		"nothing stated":                {nil, used, -1},
		"empty":                         {&caiov1.Cost{PerToken: &caiov1.TokenCost{}, Currency: "USD"}, used, -1},
		"per request":                   {&caiov1.Cost{PerRequest: p(2)}, used, 2},
		"per request, empty tokens":     {&caiov1.Cost{PerRequest: p(2), PerToken: &caiov1.TokenCost{}}, nil, 2},
		"free":                          {&caiov1.Cost{PerRequest: p(0)}, nil, 0},
		"tokens":                        {&caiov1.Cost{PerToken: tokens(p(.5), p(2))}, used, 520},
		"both":                          {&caiov1.Cost{PerRequest: p(1), PerToken: tokens(p(.5), p(2))}, used, 521},
		"tokens, no usage":              {&caiov1.Cost{PerToken: tokens(p(.5), p(2))}, nil, -1},
		"both, no usage":                {&caiov1.Cost{PerRequest: p(1), PerToken: tokens(p(.5), p(2))}, nil, -1},
		"free tokens, no usage":         {&caiov1.Cost{PerToken: tokens(p(0), p(0))}, nil, -1},
		"in only":                       {&caiov1.Cost{PerToken: tokens(p(.5), nil)}, used, -1},
		"in only, nothing written":      {&caiov1.Cost{PerToken: tokens(p(.5), nil)}, &caiov1.Usage{InputTokens: 10}, 5},
		"out only":                      {&caiov1.Cost{PerToken: tokens(nil, p(2))}, used, -1},
		"out only, nothing read":        {&caiov1.Cost{PerToken: tokens(nil, p(2))}, &caiov1.Usage{OutputTokens: 10}, 20},
		"cached at the price of others": {&caiov1.Cost{PerToken: tokens(p(.5), p(2))}, &caiov1.Usage{InputTokens: 1000, CachedInputTokens: 900, OutputTokens: 10}, 520},
		"cached, written, thought": {&caiov1.Cost{PerToken: &caiov1.TokenCost{In: p(1), Out: p(2), CachedIn: p(.5), CacheWrite: p(4), Reasoning: p(3)}},
			&caiov1.Usage{InputTokens: 100, CachedInputTokens: 40, CacheWriteTokens: 10, OutputTokens: 20, ReasoningTokens: 5}, 50 + 20 + 40 + 30 + 15},
		"a cache that is free":       {&caiov1.Cost{PerToken: &caiov1.TokenCost{In: p(1), Out: p(2), CachedIn: p(0)}}, &caiov1.Usage{InputTokens: 100, CachedInputTokens: 40}, 60},
		"more cached than read":      {&caiov1.Cost{PerToken: tokens(p(1), p(2))}, &caiov1.Usage{InputTokens: 1, CachedInputTokens: 3}, 3},
		"characters":                 {&caiov1.Cost{PerCharacter: p(.5)}, &caiov1.Usage{Characters: 10}, 5},
		"characters, not counted":    {&caiov1.Cost{PerCharacter: p(.5)}, used, -1},
		"characters, no usage":       {&caiov1.Cost{PerRequest: p(1), PerCharacter: p(.5)}, nil, -1},
		"seconds":                    {&caiov1.Cost{PerSecond: p(2)}, &caiov1.Usage{Seconds: 1.5}, 3},
		"pieces, and a request":      {&caiov1.Cost{PerRequest: p(1), PerUnit: p(2)}, &caiov1.Usage{Units: 3}, 7},
		"free pieces, not counted":   {&caiov1.Cost{PerUnit: p(0)}, used, 0},
		"the provider's own account": {&caiov1.Cost{Currency: "EUR"}, &caiov1.Usage{Cost: p(7)}, -1},
		"not a number":               {&caiov1.Cost{PerRequest: p(math.NaN())}, used, -1},
		"infinite":                   {&caiov1.Cost{PerToken: tokens(p(math.MaxFloat64), p(2))}, used, -1},
	} {
		got, known := cost(test.prices, test.usage)
		if known != (test.want >= 0) || known && got != test.want {
			t.Errorf("%s: %v, %v; want %v", name, got, known, test.want)
		}
	}
}

func TestCostSaysWhoSaysSo(t *testing.T) {
	p := func(v float64) *float64 { return &v }
	for name, test := range map[string]struct {
		prices *caiov1.Cost
		usage  *caiov1.Usage
		want   *caiov1.Observed
	}{
		"contract before provider": {&caiov1.Cost{PerRequest: p(2), Currency: "EUR"}, &caiov1.Usage{Cost: p(7)}, &caiov1.Observed{Cost: p(2), Currency: "EUR", CostSource: "contract"}},
		"provider":                 {&caiov1.Cost{Currency: "EUR"}, &caiov1.Usage{Cost: p(7)}, &caiov1.Observed{Cost: p(7), Currency: "USD", CostSource: "provider"}},
		"provider, for nothing":    {nil, &caiov1.Usage{Cost: p(0)}, &caiov1.Observed{Cost: p(0), Currency: "USD", CostSource: "provider"}},
		"a price without a count":  {&caiov1.Cost{PerSecond: p(2)}, &caiov1.Usage{Cost: p(7)}, &caiov1.Observed{Cost: p(7), Currency: "USD", CostSource: "provider"}},
		"nobody":                   {&caiov1.Cost{Currency: "EUR"}, &caiov1.Usage{InputTokens: 5}, &caiov1.Observed{}},
		"nobody, no usage":         {nil, nil, &caiov1.Observed{}},
		"a provider that pays":     {nil, &caiov1.Usage{Cost: p(-1)}, &caiov1.Observed{}},
	} {
		got := &caiov1.Observed{}
		if enterCost(got, test.prices, test.usage); !proto.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"7", "-1", "Sun, 06 Nov 1994 08:49:37 GMT", "1e3", "99999999999999999999", " 7"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		d, said := retryAfter(429, http.Header{"Retry-After": {v}}, time.Unix(0, 0))
		if d < 0 || !said && d != 0 {
			t.Fatalf("%q: %s, %v", v, d, said)
		}
	})
}
