package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// storyText writes stories as lines: + held, - did not.
func storyText(e *caiov1.Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", e.Outcome)
	for _, r := range e.Rules {
		fmt.Fprintf(&b, "%s:%d %s %s\n", r.Rule.File, r.Rule.Line, r.Outcome, r.Message)
		for _, s := range r.Steps {
			mark := "-"
			if s.Held {
				mark = "+"
			}
			fmt.Fprintf(&b, "%*s%s %s:%d %s", 2*int(s.Depth)+1, "", mark, s.File, s.Line, s.Text)
			if s.Tried > 1 {
				fmt.Fprintf(&b, " x%d", s.Tried)
			}
			for _, v := range s.Values {
				fmt.Fprintf(&b, " | %s = %s", v.Name, v.Value)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func explain(t *testing.T, files fstest.MapFS, req *caiov1.Request, service string) *caiov1.Explanation {
	t.Helper()
	set, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := NewFacts([]byte(service))
	if err != nil {
		t.Fatal(err)
	}
	e, err := set.Explain(t.Context(), req, facts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func regoFile(source string) fstest.MapFS {
	return fstest.MapFS{"routing/a.rego": {Data: []byte("package caio.routing.a\n\n" + source)}}
}

func TestAStoryTellsAtWhichExpressionARuleEnded(t *testing.T) {
	for name, c := range map[string]struct {
		source, service, want string
		req                   *caiov1.Request
	}{
		"values of both sides": {
			source:  "deny contains \"dear\" if {\n\tinput.request.match == \"all\"\n\tinput.service.cost.per_request > limit\n}\n\nlimit := 2\n",
			service: `{"cost": {"per_request": 1}}`, req: &caiov1.Request{Match: "all"},
			want: "eligible\nrouting/a.rego:3 passes \n" +
				" + routing/a.rego:4 input.request.match == \"all\" | input.request.match = \"all\"\n" +
				" - routing/a.rego:5 input.service.cost.per_request > limit | input.service.cost.per_request = 1 | data.caio.routing.a.limit = 2\n" +
				"   + routing/a.rego:8 limit := 2 | limit = 2\n",
		},
		"a missing value": {
			source:  "deny contains \"dear\" if input.service.cost.per_request > 2\n",
			service: `{}`, req: &caiov1.Request{},
			want: "eligible\nrouting/a.rego:3 passes \n" +
				" - routing/a.rego:3 input.service.cost.per_request > 2 | input.service.cost.per_request = undefined\n",
		},
		"helpers of several bodies": {
			source:  "deny contains \"far\" if not near\n\nnear if input.service.region == \"eu\"\n\nnear if input.service.local\n",
			service: `{"region": "us", "local": false}`, req: &caiov1.Request{},
			want: "rule\nrouting/a.rego:3 refuses far\n" +
				" + routing/a.rego:3 not near\n" +
				"   - routing/a.rego:5 near if input.service.region == \"eu\"\n" +
				"     - routing/a.rego:5 input.service.region == \"eu\" | input.service.region = \"us\"\n" +
				"   - routing/a.rego:7 near if input.service.local\n" +
				"     - routing/a.rego:7 input.service.local | input.service.local = false\n",
		},
		"the first solution that holds": {
			source:  "deny contains msg if {\n\tsome tag in input.service.tags\n\tstartswith(lower(tag), \"b\")\n\tmsg := tag\n}\n",
			service: `{"tags": ["a", "B", "c"]}`, req: &caiov1.Request{},
			want: "rule\nrouting/a.rego:3 refuses B\n" +
				" + routing/a.rego:4 some tag in input.service.tags | tag = \"a\" | input.service.tags[_] = \"a\"\n" +
				" + routing/a.rego:5 startswith(lower(tag), \"b\") x3 | tag = \"B\"\n" +
				" + routing/a.rego:6 msg := tag | msg = \"B\" | tag = \"B\"\n",
		},
		"an error in a builtin": {
			source:  "deny contains \"x\" if to_number(input.request.match) > 1\n",
			service: `{}`, req: &caiov1.Request{Match: "all"},
			want: "rule\nrouting/a.rego:3 fails this rule cannot be evaluated, which refuses: routing/a.rego:3: to_number: strconv.ParseFloat: parsing \"all\": invalid syntax\n" +
				" - routing/a.rego:3 to_number(input.request.match) > 1 | input.request.match = \"all\"\n",
		},
		"a reason that cannot be made": {
			source:  "deny contains msg if {\n\tinput.request.match == \"all\"\n\tmsg := sprintf(\"in %s\", [input.service.region])\n}\n",
			service: `{}`, req: &caiov1.Request{Match: "all"},
			want: "rule\nrouting/a.rego:3 refuses the rule holds, but its reason reads a value that is missing\n" +
				" + routing/a.rego:4 input.request.match == \"all\" | input.request.match = \"all\"\n" +
				" - routing/a.rego:5 msg := sprintf(\"in %s\", [input.service.region]) | input.service.region = undefined\n",
		},
		"one value out of the whole": {
			source:  "deny contains \"x\" if object.get(input.request, [\"context\", \"priority\"], \"\") == \"low\"\n",
			service: `{}`, req: &caiov1.Request{Context: &caiov1.Context{Priority: "high"}},
			want: "eligible\nrouting/a.rego:3 passes \n" +
				" - routing/a.rego:3 object.get(input.request, [\"context\", \"priority\"], \"\") == \"low\" | input.request.context.priority = \"high\"\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := storyText(explain(t, regoFile(c.source), c.req, c.service)); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// The body of an intent belongs in no trace, so it is not to be told by way of what rules make of it either.
func TestAStoryShowsNothingOfTheIntent(t *testing.T) {
	const secret = "hunter2"
	req := &caiov1.Request{Match: "all", Intent: &caiov1.Intent{Type: "chat", Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{
		Messages: []*caiov1.ChatMessage{{Role: "user", Content: secret}},
	}}}}
	sources := []string{
		"deny contains \"x\" if contains(lower(input.request.intent.chat.messages[_].content), \"hunter\")\n",
		"deny contains \"x\" if {\n\tsome m in input.request.intent.chat.messages\n\ttext := m.content\n\tlong(text)\n}\n\nlong(s) if count(s) > 1\n",
		"deny contains \"x\" if {\n\tsaid == \"x\"\n}\n\nsaid := inner\n\ninner := input.request.intent.chat.messages[0].content\n",
		"deny contains \"x\" if {\n\tr := input.request\n\tr.intent.chat.messages[0].content == \"y\"\n}\n",
		"deny contains \"x\" if object.get(input, [\"request\", \"intent\", \"chat\"], {}).messages == []\n",
		"deny contains \"x\" if {\n\twalk(input, [_, v])\n\tv == \"y\"\n}\n",
		"deny contains \"x\" if there with input as {\"t\": input.request.intent}\n\nthere if input.t.chat.messages[0].content == \"y\"\n",
		"deny contains \"x\" if {\n\tk := \"intent\"\n\tinput.request[k].chat.messages[0].content == \"y\"\n}\n",
	}
	for _, source := range sources {
		e := explain(t, regoFile(source), req, `{}`)
		if !e.Rules[0].ReadsIntent {
			t.Errorf("not said to read the intent:\n%s", source)
		}
		if text := storyText(e); strings.Contains(text, secret) {
			t.Errorf("shown:\n%s", text)
		}
	}
	if e := explain(t, regoFile("deny contains \"x\" if input.request.intent.type == \"chat\"\n"), req, `{}`); e.Rules[0].ReadsIntent ||
		!strings.Contains(storyText(e), `input.request.intent.type = "chat"`) {
		t.Errorf("the intent's type is no secret:\n%s", storyText(e))
	}
}

// What a story says a rule does is what Route does, for every rule of the defaults and many a request.
func TestStoriesAgreeWithRoute(t *testing.T) {
	set := defaults(t)
	rules := map[string]bool{}
	for i, c := range storyCases() {
		facts, err := NewFacts([]byte(c.service))
		if err != nil {
			t.Fatal(err)
		}
		e, err := set.Explain(t.Context(), c.req, facts, nil)
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := set.Route(t.Context(), c.req, []*Facts{facts})
		if err != nil {
			t.Fatal(err)
		}
		want, got := map[string]bool{}, map[string]bool{}
		for _, r := range append(verdicts[0].Rule, verdicts[0].Security...) {
			want[fmt.Sprintf("%s:%d", r.File, r.Line)] = true
		}
		for _, r := range e.Rules {
			if r.Outcome != "passes" {
				got[fmt.Sprintf("%s:%d", r.Rule.File, r.Rule.Line)] = true
				rules[r.Rule.Rule] = true
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("case %d: the stories refuse by %v, Route by %v", i, got, want)
		}
	}
	if len(rules) < 8 {
		t.Errorf("only %d rules ever refused: %v", len(rules), rules)
	}
}

type storyCase struct {
	req     *caiov1.Request
	service string
}

func storyCases() (cases []storyCase) {
	services := []string{
		`{"service_id":"a","privacy":{"data_locality":"cloud","encryption":false,"region":"us-east-1","compliance":[]},"required_permissions":["p"],"required_trust_level":3,"metadata":{"tenant":""},"cost":{"per_request":20}}`,
		`{"service_id":"b","privacy":{"data_locality":"local","encryption":true,"region":"eu-west-1","compliance":["GDPR"]},"required_permissions":[],"required_trust_level":0,"metadata":{"tenant":"acme"},"cost":{"per_request":0.001},"guarantees":{"availability":{"bound":{"min":0.9}}}}`,
	}
	for _, service := range services {
		for bits := range 32 {
			on := func(i int) bool { return bits>>i&1 == 1 }
			req := &caiov1.Request{Match: "all", Data: &caiov1.Data{ContainsPii: on(0), ContainsPhi: on(1)}, Principal: &caiov1.Principal{}, Context: &caiov1.Context{}}
			if on(2) {
				req.Principal = &caiov1.Principal{Authenticated: true, TrustLevel: 5, Permissions: []string{"p"}, Tenant: "acme"}
			}
			if on(3) {
				req.Context.Priority, req.Data.Residency = "high", "eu"
			}
			if on(4) {
				req.Data.Classification, req.Budget = "restricted", &caiov1.Budget{MaxCost: 1}
			}
			cases = append(cases, storyCase{req, service})
		}
	}
	return cases
}

func TestAStoryIsBounded(t *testing.T) {
	var source strings.Builder
	source.WriteString("deny contains \"x\" if {\n")
	for i := range 3 * maxSteps {
		fmt.Fprintf(&source, "\tinput.service.a != %d\n", i)
	}
	source.WriteString("}\n")
	tags, err := json.Marshal(strings.Repeat("long ", 1000))
	if err != nil {
		t.Fatal(err)
	}
	e := explain(t, regoFile(source.String()), &caiov1.Request{}, `{"a": `+string(tags)+`}`)
	story := e.Rules[0]
	if !story.Truncated || len(story.Steps) > maxSteps {
		t.Errorf("%d steps, truncated %v", len(story.Steps), story.Truncated)
	}
	for _, v := range story.Steps[0].Values {
		if len(v.Value) > maxFactText+len("…") {
			t.Errorf("a value of %d bytes", len(v.Value))
		}
	}
}

func TestStoriesOfTheSameRuleAreToldAtTheSameTime(t *testing.T) {
	set := defaults(t)
	cases := storyCases()
	var all sync.WaitGroup
	for _, c := range cases[:8] {
		all.Go(func() {
			facts, err := NewFacts([]byte(c.service))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := set.Explain(t.Context(), c.req, facts, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestManyStoriesAreToldInShort(t *testing.T) {
	var source strings.Builder
	for i := range maxWhole + 50 {
		fmt.Fprintf(&source, "deny contains \"%d\" if {\n\tinput.service.a == 1\n\tinput.service.b == %d\n}\n\n", i, i)
	}
	e := explain(t, regoFile(source.String()), &caiov1.Request{}, fmt.Sprintf(`{"a": 1, "b": %d}`, maxWhole+40))
	if len(e.Rules) != maxWhole+50 {
		t.Fatalf("%d rules", len(e.Rules))
	}
	for i, r := range e.Rules {
		want := 2
		if i >= maxWhole && i != maxWhole+40 {
			want = 1
		}
		if len(r.Steps) != want || r.Truncated != (want == 1) || want == 1 && r.Steps[0].Held {
			t.Errorf("rule %d: %v", i, r)
		}
	}
}
