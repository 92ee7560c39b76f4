package policy

import (
	"encoding/json"
	"fmt"
	"strings"
)

// inventedTexts and inventedNumbers are few, so that what requests and contracts say often meets.
var (
	inventedTexts = []string{
		"a", "b", "eu", "EU", "us", "chat", "high", "local", "acme", "all", "", "ü", "ſtraße", "(", "[a", "1", "2.5", "a-b", "eu-west", "10Mi", "x y", "null",
		"2026-01-01T00:00:00Z", "accuracy", "latency", "%v", "a*",
	}
	inventedNumbers = []string{
		"0", "1", "2", "3", "5", "10", "0.5", "0.1", "0.3", "0.30000000000000004", "1.0", "1e0", "-0", "-1", "9007199254740992", "9007199254740993", "1e400", "2e400",
		"1e-400", "1000",
	}
)

func (w *writer) constant(is form) string {
	switch is {
	case aText:
		quoted, err := json.Marshal(pick(w.random, inventedTexts...))
		if err != nil {
			panic(err)
		}
		return string(quoted)
	case aNumber:
		return pick(w.random, inventedNumbers...)
	case aTruth:
		return pick(w.random, "true", "true", "false")
	case aList:
		return pick(w.random, `["eu", "us"]`, `{"a", "b", "chat"}`, `[1, 2, 3]`, `[]`, `{1, 1.0, 2}`, `["a", 1, null, true]`, `{"user", "admin"}`, `["x", ["y"]]`)
	case anObject:
		return pick(w.random, `{"a": 1, "b": 2}`, `{}`, `{"eu": {"min": 1}, "us": {"min": 0.5}}`, `{"chat": "a", "accuracy": null}`, `{1: "a", "k": [1]}`)
	}
	return w.constant(pick(w.random, aText, aNumber, aTruth, aList, anObject))
}

// requested and offered are references to a request and to a contract.
func (w *writer) requested(is form) string {
	return "input.request." + w.reference(is, map[form][]string{
		aText: {"match", "budget.currency", "data.classification", "data.residency", "intent.type", "intent.payload.text", "principal.subject", "principal.tenant",
			"context.priority", "context.time", "context.attributes.a", "context.attributes.b.c", "capabilities[0]", "data.missing"},
		aNumber: {"max_latency_ms", "budget.max_cost", "principal.trust_level", "constraints.max_tokens_per_request", "context.attributes.n", "intent.chat.max_tokens",
			"guarantees.accuracy.min", "guarantees.latency.max", "intent.payload.n", "field.missing"},
		aTruth:   {"data.contains_pii", "data.contains_phi", "principal.authenticated", "constraints.requires_gpu", "context.attributes.flag", "budget"},
		aList:    {"capabilities", "principal.roles", "principal.permissions", "context.attributes.list", "intent.payload.list", "intent.chat.messages"},
		anObject: {"guarantees", "context.attributes", "intent.payload", "data", "constraints", "context.attributes.b", "guarantees.accuracy"},
	})
}

func (w *writer) offered(is form) string {
	return "input.service." + w.reference(is, map[form][]string{
		aText: {"name", "version", "service_id", "privacy.region", "privacy.data_locality", "privacy.retention", "cost.currency", "metadata.tenant", "metadata.provider",
			"adapter.settings.model", "capabilities[0].type", "guarantees.latency.property", "unheard_of"},
		aNumber: {"cost.per_request", "cost.per_token.in", "required_trust_level", "constraints.max_tokens_per_request", "constraints.rate_limit.requests_per_second",
			"guarantees.accuracy.bound.min", "guarantees.latency.bound.max", "adapter.settings.n"},
		aTruth:   {"privacy.encryption", "constraints.requires_gpu", "adapter.settings.flag", "constraints.requires_internet"},
		aList:    {"privacy.compliance", "required_permissions", "metadata.tags", "capabilities", "alignment.content_filters", "adapter.settings.list"},
		anObject: {"guarantees", "adapter.settings", "cost", "privacy", "guarantees.accuracy.bound", "constraints.rate_limit", "capabilities[_].parameters"},
	})
}

func (w *writer) reference(is form, all map[form][]string) string {
	if is == anything {
		is = pick(w.random, aText, aNumber, aTruth, aList, anObject)
	}
	ref := pick(w.random, all[is]...)
	if w.plain {
		ref = strings.ReplaceAll(ref, "[_]", "[0]")
	}
	return ref
}

// term writes a value that is roughly what is asked for.
func (w *writer) term(is form, depth int) string {
	if is == anything {
		is = pick(w.random, aText, aText, aNumber, aTruth, aList, anObject)
	}
	switch n := w.random.IntN(12); {
	case n < 3:
		return w.requested(is)
	case n < 6:
		return w.offered(is)
	case n < 7:
		return w.constant(is)
	case n < 9 && len(w.vars) > 0:
		return w.variable(is)
	case n < 11 && depth > 0 && len(w.known.all) > 0:
		return w.use(is)
	}
	if depth == 0 {
		return w.constant(is)
	}
	return w.made(is, depth-1)
}

// variable uses one that is bound, as it is or by a field of it.
func (w *writer) variable(is form) string {
	v := &w.vars[w.random.IntN(len(w.vars))]
	v.used = true
	if v.is == is || v.is != anything || w.oneIn(3) {
		return v.name
	}
	switch is {
	case aNumber:
		return v.name + pick(w.random, ".bound.min", ".bound.max", ".min", ".max", ".n")
	case aText:
		return v.name + pick(w.random, ".property", ".type", `["a"]`, "[0]")
	case anObject:
		return v.name + pick(w.random, ".bound", ".parameters", "")
	}
	return v.name
}

// use refers to another rule: of its kind if there is one.
func (w *writer) use(is form) string {
	h := w.known.all[w.random.IntN(len(w.known.all))]
	for range 3 {
		if h.is == is {
			break
		}
		h = w.known.all[w.random.IntN(len(w.known.all))]
	}
	if h.args > 0 {
		var args []string
		for range h.args {
			args = append(args, w.term(pick(w.random, aText, anything), 0))
		}
		return h.name + "(" + strings.Join(args, ", ") + ")"
	}
	switch {
	case h.is == anObject && is != anObject && w.oneIn(2):
		return fmt.Sprintf("%s[%s]", h.name, w.term(aText, 0))
	case h.is == aList && is == aTruth && w.oneIn(2):
		return fmt.Sprintf("%s[%s]", h.name, w.term(aText, 0))
	case h.is == aList && is == aNumber:
		return fmt.Sprintf("count(%s)", h.name)
	case w.oneIn(6) && !w.plain:
		return pick(w.random, h.name+"[_]", fmt.Sprintf("%s[%s]", h.name, w.term(aNumber, 0)))
	}
	return h.name
}

// made calls builtins. Those that fail over values of the wrong kind are left out where the policies are calm.
func (w *writer) made(is form, depth int) string {
	type way = func() string
	t := func(is form) string { return w.term(is, depth) }
	choose := func(calm, risky []way) string {
		if !w.known.calm {
			calm = append(calm, risky...)
		}
		return pick(w.random, calm...)()
	}
	say := func(format string, args ...form) way {
		return func() string {
			terms := make([]any, len(args))
			for i, is := range args {
				terms[i] = t(is)
			}
			return fmt.Sprintf(format, terms...)
		}
	}
	switch is {
	case aText:
		return choose([]way{
			say(`sprintf("%%v", [%s])`, anything), say("json.marshal(%s)", anything), say("type_name(%s)", anything), say("input.service[%s]", aText), say("input.request[%s]", aText), say("json.marshal(input.request)"),
			say(`object.get(input.service, ["privacy", "region"], %s)`, aText), say("lower(input.request.data.classification)"),
		}, []way{
			say("lower(%s)", aText), say("upper(%s)", aText), say("trim_space(%s)", aText), say(`concat("-", [%s, %s])`, aText, aText), say(`split(%s, "-")[1]`, aText),
			say(`sprintf("%%d-%%s", [%s])`, anything), say("sprintf(%s, [%s])", aText, anything), say("substring(%s, 1, 1)", aText), say("substring(%s, -1, 1)", aText),
			say("object.get(%s, %s, %s)", anObject, aText, aText),
		})
	case aNumber:
		return choose([]way{
			say("0.1 + 0.2"), say("input.service.guarantees[%s].bound.min", aText), say("input.service.guarantees[%s].bound.max", aText),
			say("input.request.guarantees[%s].min", aText), say("data.listed.prices[%s]", aText),
			say(`object.get(input.service.guarantees, [%s, "bound", "min"], %s)`, aText, aNumber), say("count([e | some e in %s])", aList),
		}, []way{
			say("count(%s)", anything), say("%s + %s", aNumber, aNumber), say("%s - %s", aNumber, aNumber), say("%s * %s", aNumber, aNumber), say("%s / %s", aNumber, aNumber),
			say("%s %% %s", aNumber, aNumber), say("sum(%s)", aList), say("max(%s)", aList), say("min(%s)", aList), say("to_number(%s)", aText), say("abs(%s)", aNumber),
			say("round(%s)", aNumber), say("ceil(%s)", aNumber),
		})
	case aList:
		return choose([]way{
			say("[%s, %s]", aText, anything), say("{%s, %s}", aText, aText), func() string { return w.comprehension(depth) },
			say("{e | some e in %s} & {%s}", aList, aText), say("{e | some e in %s} | {%s}", aList, aText), say("{e | some e in %s} - {%s}", aList, aText),
		}, []way{
			say(`split(%s, "-")`, aText), say("object.keys(%s)", anObject), say("array.concat(%s, %s)", aList, aList), say("sort(%s)", aList),
			say("numbers.range(1, input.request.principal.trust_level)"),
		})
	case anObject:
		return choose([]way{say(`{"a": %s, "b": %s}`, anything, anything), say("input.request"), say("input.service"), say("{k: k | some k in %s}", aList)}, []way{
			say("object.union(%s, %s)", anObject, anObject), say("object.remove(%s, [%s])", anObject, aText),
		})
	}
	return choose([]way{
		say("is_number(%s)", anything), say("is_string(%s)", anything), say("is_null(%s)", anything), say("is_array(%s)", anything), say("input.service.privacy[%s]", aText),
	}, []way{say("startswith(%s, %s)", aText, aText), say(`regex.match("^[a-e]", %s)`, aText)})
}
