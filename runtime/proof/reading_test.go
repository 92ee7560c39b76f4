package proof_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/smarthausgroup/caio/runtime/proof"
)

// What follows reads the methods of the package's comment a second time, over evidence as JSON has it and with nothing
// that the package uses: what a third party would write who verifies proofs in another language.

// A doc is evidence, or an object in it.
type doc = map[string]any

// errUnread: the evidence does not say all that its method needs.
var errUnread = errors.New("unread")

// get returns what stands at key if it is a T, and panics with errUnread if it is not.
func get[T any](d doc, key string) T {
	v, ok := d[key].(T)
	if n, number := any(v).(float64); !ok || number && (math.IsNaN(n) || math.IsInf(n, 0)) {
		panic(errUnread)
	}
	return v
}

// number returns the number at key; false: null stands there.
func number(d doc, key string) (float64, bool) {
	if v, there := d[key]; there && v == nil {
		return 0, false
	}
	return get[float64](d, key), true
}

func each[T any](list []any) []T {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = get[T](doc{"": v}, "")
	}
	return out
}

func texts(d doc, key string) []string    { return each[string](get[[]any](d, key)) }
func numbers(d doc, key string) []float64 { return each[float64](get[[]any](d, key)) }

// read computes whether e, the evidence of property, holds; errUnread if that cannot be told.
func read(property string, e doc) (valid bool, err error) {
	defer func() {
		if r := recover(); r == errUnread {
			err = errUnread
		} else if r != nil {
			panic(r)
		}
	}()
	get[string](e, "service_id")
	return readings[property](e), nil
}

var readings = map[string]func(e doc) bool{
	proof.Matching: func(e doc) bool {
		all := true
		for _, c := range each[doc](get[[]any](e, "checks")) {
			all = readCheck(c) && all
		}
		return all
	},
	proof.Rules: func(e doc) bool {
		get[float64](e, "rules")
		if get[string](e, "policies") == "" || get[string](e, "request") == "" || get[string](e, "contract") == "" {
			panic(errUnread)
		}
		return len(texts(e, "refusals")) == 0
	},
	proof.Authentication: func(e doc) bool {
		get[string](e, "subject")
		return get[bool](e, "authenticated")
	},
	proof.Authorization: func(e doc) bool {
		granted, required := texts(e, "granted"), texts(e, "required")
		return len(required) == 0 || slices.ContainsFunc(required, func(p string) bool { return slices.Contains(granted, p) })
	},
	proof.Privacy: func(e doc) bool {
		sensitive, where, encrypted := get[bool](e, "sensitive"), get[string](e, "locality"), get[bool](e, "encryption")
		return !sensitive || encrypted || slices.Contains([]string{"on_device", "local"}, where)
	},
	proof.AccessControl: func(e doc) bool {
		return get[float64](e, "trust_level") >= get[float64](e, "required_trust_level")
	},
	proof.AccessBoundary: func(e doc) bool {
		own, theirs := get[string](e, "tenant"), get[string](e, "service_tenant")
		return theirs == "" || own == theirs
	},
	proof.Budget: func(e doc) bool {
		cost, priced := number(e, "cost")
		limit, limited := number(e, "max_cost")
		get[float64](e, "input_tokens")
		get[float64](e, "output_tokens")
		same := get[string](e, "currency") == get[string](e, "budget_currency")
		return !limited || priced && same && cost <= limit
	},
	proof.Latency: func(e doc) bool {
		promised, promises := number(e, "promised_ms")
		limit, limited := number(e, "max_latency_ms")
		get[string](e, "property")
		return !limited || promises && promised <= limit
	},
	proof.Optimization: readRanking,
	proof.Stability: func(e doc) bool {
		u, gram := numbers(e, "signal"), numbers(e, "gram")
		intent, most := get[float64](e, "intent_energy"), get[float64](e, "max_energy")
		if len(u) == 0 || len(gram) != len(u)*len(u) {
			panic(errUnread)
		}
		var energy float64
		for i := range u {
			var row float64
			for j := range u {
				if gram[i*len(u)+j] != gram[j*len(u)+i] || i == j && gram[i*len(u)+i] < 0 {
					panic(errUnread) // no Gram matrix
				}
				row += float64(gram[i*len(u)+j] * u[j])
			}
			energy += float64(u[i] * row)
		}
		return intent >= 0 && math.Max(0, energy) <= most-intent
	},
	proof.TraitConstraints: func(e doc) bool {
		limits := each[doc](get[[]any](e, "limits"))
		for _, l := range limits {
			get[string](l, "constraint")
			get[string](l, "part")
			get[float64](l, "value")
			get[float64](l, "limit")
		}
		for _, l := range limits {
			if !slices.Contains([]string{"safety", "policy", "traits", "budget", "latency"}, get[string](l, "constraint")) {
				panic(errUnread)
			}
			if get[float64](l, "value") > get[float64](l, "limit") {
				return false
			}
		}
		return true
	},
	proof.Composition: func(e doc) bool {
		parts := each[doc](get[[]any](e, "parts"))
		if len(parts) != 1 {
			panic(errUnread)
		}
		return reflect.DeepEqual(parts[0], get[doc](e, "composed"))
	},
	proof.Refusal: func(e doc) bool {
		get[float64](e, "unlisted")
		fell := true
		outcomes := get[doc](e, "outcomes")
		for service := range outcomes {
			switch get[string](outcomes, service) {
			case "capability", "guarantee", "constraint", "rule", "security", "traits", "budget", "latency":
			case "selected", "eligible":
				fell = false
			default:
				panic(errUnread)
			}
		}
		return fell
	},
}

func readCheck(c doc) bool {
	get[string](c, "subject")
	for _, side := range []string{"promised", "demanded"} {
		switch v, there := c[side]; v.(type) {
		case nil, bool, string:
			if !there {
				panic(errUnread)
			}
		case float64:
			get[float64](c, side)
		default:
			texts(c, side)
		}
	}
	switch relation := get[string](c, "relation"); relation {
	case ">=", "<=":
		demanded := get[float64](c, "demanded")
		promised, stated := number(c, "promised")
		return stated && (relation == ">=" && promised >= demanded || relation == "<=" && promised <= demanded)
	case "=":
		return get[string](c, "promised") == get[string](c, "demanded")
	case "contains_all", "contains_any":
		promised, demanded := texts(c, "promised"), texts(c, "demanded")
		has := 0
		for _, d := range demanded {
			if slices.Contains(promised, d) {
				has++
			}
		}
		return relation == "contains_all" && has == len(demanded) || relation == "contains_any" && has > 0
	case "stated", "demanded_implies_promised":
		promised, demanded := get[bool](c, "promised"), get[bool](c, "demanded")
		return promised || !demanded
	case "promised_implies_demanded":
		promised, demanded := get[bool](c, "promised"), get[bool](c, "demanded")
		return demanded || !promised
	}
	panic(errUnread)
}

// A term is one of the objective's, what it counts, and what it may be.
type term struct {
	name        string
	weight      float64
	least, most float64
}

// calculus is SPEC section 1: the order in which terms are added, and their weights.
var calculus = map[string][]term{
	"contract": {{"guarantee", .3, 0, 1}, {"cost_score", .2, 0, 1}, {"performance", .2, 0, 1}, {"reliability", .1, 0, 1},
		{"cost", -.1, 0, 1}, {"risk", -.05, 0, 1}, {"latency", -.05, 0, 1}},
	"field": {{"intent", .3, 0, 1}, {"capability", .2, -1, 1}, {"model", .2, -1, 1}, {"memory", .1, -1, 300},
		{"cost", -.1, 0, 1}, {"risk", -.05, 0, 1}, {"latency", -.05, 0, 1}},
}

func readRanking(e doc) bool {
	terms, known := calculus[get[string](e, "objective")]
	seed, err := strconv.ParseUint(get[string](e, "seed"), 10, 64)
	ranking, scores, given := texts(e, "ranking"), numbers(e, "scores"), get[doc](e, "terms")
	if !known || err != nil || len(scores) != len(ranking) || len(given) != len(terms) {
		panic(errUnread)
	}
	twice := map[string]bool{}
	for _, service := range ranking {
		if twice[service] {
			panic(errUnread)
		}
		twice[service] = true
	}
	// A list that cannot be read tells nothing, whatever else is wrong.
	for _, t := range terms {
		if len(numbers(given, t.name)) != len(ranking) {
			panic(errUnread)
		}
	}
	if len(ranking) == 0 || ranking[0] != get[string](e, "service_id") {
		return false
	}
	lot := func(service string) []byte {
		sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), service...))
		return sum[:]
	}
	for i, service := range ranking {
		var score float64
		for _, t := range terms {
			n := numbers(given, t.name)[i]
			if n < t.least || n > t.most {
				panic(errUnread)
			}
			score += float64(t.weight * n)
		}
		if score != scores[i] {
			return false
		}
		if i > 0 && (scores[i] > scores[i-1] || scores[i] == scores[i-1] && bytes.Compare(lot(ranking[i-1]), lot(service)) > 0) {
			return false
		}
	}
	return true
}

// wording is what the proofs of a property must say beside their evidence.
func wording(property, service string) (step, statement string) {
	said := map[string][2]string{
		proof.Matching:         {"matching", "%s offers what is required, promises what is demanded and needs nothing that is excluded"},
		proof.Rules:            {"rules", "no rule refuses %s"},
		proof.Authentication:   {"security", "the caller of %s is authenticated"},
		proof.Authorization:    {"security", "the caller may use %s"},
		proof.Privacy:          {"security", "%s keeps sensitive data private"},
		proof.AccessControl:    {"security", "the caller's trust suffices for %s"},
		proof.AccessBoundary:   {"security", "%s is open to the caller's tenant"},
		proof.Budget:           {"limits", "%s stays within the budget"},
		proof.Latency:          {"limits", "%s stays within the latency cap"},
		proof.Optimization:     {"optimization", "%s is the best of those that may serve"},
		proof.Stability:        {"control", "the control signal given with %s keeps its energy bound"},
		proof.TraitConstraints: {"traits", "%s violates no constraint"},
		proof.Composition:      {"composition", "the guarantees given for %s are those of its parts"},
		proof.Refusal:          {"optimization", "no service may serve%s"},
	}[property]
	return said[0], fmt.Sprintf(said[1], service)
}
