package gateway

import (
	"math"
	"net/http"
	"testing"
	"time"

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
		"nothing stated":            {nil, used, -1},
		"empty":                     {&caiov1.Cost{PerToken: &caiov1.TokenCost{}, Currency: "USD"}, used, -1},
		"per request":               {&caiov1.Cost{PerRequest: p(2)}, used, 2},
		"per request, empty tokens": {&caiov1.Cost{PerRequest: p(2), PerToken: &caiov1.TokenCost{}}, nil, 2},
		"free":                      {&caiov1.Cost{PerRequest: p(0)}, nil, 0},
		"tokens":                    {&caiov1.Cost{PerToken: tokens(p(.5), p(2))}, used, 520},
		"both":                      {&caiov1.Cost{PerRequest: p(1), PerToken: tokens(p(.5), p(2))}, used, 521},
		"tokens, no usage":          {&caiov1.Cost{PerToken: tokens(p(.5), p(2))}, nil, -1},
		"both, no usage":            {&caiov1.Cost{PerRequest: p(1), PerToken: tokens(p(.5), p(2))}, nil, -1},
		"free tokens, no usage":     {&caiov1.Cost{PerToken: tokens(p(0), p(0))}, nil, -1},
		"in only":                   {&caiov1.Cost{PerToken: tokens(p(.5), nil)}, used, -1},
		"in only, nothing written":  {&caiov1.Cost{PerToken: tokens(p(.5), nil)}, &caiov1.Usage{InputTokens: 10}, 5},
		"out only":                  {&caiov1.Cost{PerToken: tokens(nil, p(2))}, used, -1},
		"out only, nothing read":    {&caiov1.Cost{PerToken: tokens(nil, p(2))}, &caiov1.Usage{OutputTokens: 10}, 20},
		"not a number":              {&caiov1.Cost{PerRequest: p(math.NaN())}, used, -1},
		"infinite":                  {&caiov1.Cost{PerToken: tokens(p(math.MaxFloat64), p(2))}, used, -1},
	} {
		got, known := cost(test.prices, test.usage)
		if known != (test.want >= 0) || known && got != test.want {
			t.Errorf("%s: %v, %v; want %v", name, got, known, test.want)
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
