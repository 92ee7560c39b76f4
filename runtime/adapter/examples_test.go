package adapter

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const examplesDir = "../../examples/adapters"

// TestExamplesInEveryLanguage builds the example adapter of each language with the command that its README tells, where the
// language's compiler is there, and tries all of them on the same calls.
func TestExamplesInEveryLanguage(t *testing.T) {
	for _, c := range []struct{ language, source string }{
		{"go", "main.go"}, {"c", "upper.c"}, {"rust", "upper.rs"}, {"assemblyscript", "upper.ts"},
	} {
		t.Run(c.language, func(t *testing.T) {
			wasm := buildExample(t, filepath.Join(examplesDir, c.language), c.source)
			module, err := open(t, cached(t, Options{})).Load(t.Context(), c.language, wasm)
			if err != nil {
				t.Fatal(err)
			}
			if got := module.Adapters(); len(got) != 1 || got[0] != (Info{Name: "upper", Version: "1.0.0", Description: "Posts the request to base_url/upper", Frames: c.language == "go"}) {
				t.Errorf("it describes itself as %+v", got)
			}
			t.Logf("%d bytes", len(wasm))
			exampleAnswers(t, module)
			exampleReadsDocuments(t, newPlainGuest(t, wasm))
		})
	}
}

// buildExample runs a README's command in a copy of the directory.
func buildExample(t *testing.T, dir, source string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "upper.wasm")
	args := []string{"go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, "."}
	if source != "main.go" {
		readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		args = nil
		for line := range strings.Lines(string(readme)) {
			if words := strings.Fields(line); strings.HasPrefix(line, "    ") && strings.Contains(line, "upper.wasm "+source) || strings.Contains(line, source+" -o upper.wasm") {
				args = words
			}
		}
		if args == nil {
			t.Fatalf("%s/README.md has no command that builds upper.wasm from %s", dir, source)
		}
	}
	for i, arg := range args {
		if arg == "upper.wasm" {
			args[i] = out
		}
	}
	if args[0] == "npx" {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", ".bin", args[1])); err != nil {
			t.Skipf("the compiler is not here: run 'npm install' in examples/adapters/%s", filepath.Base(dir))
		}
	}
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skipf("%s is not here", args[0])
	}
	build := exec.CommandContext(t.Context(), args[0], args[1:]...)
	build.Dir = dir
	if args[0] == "go" {
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=")
	}
	said, err := build.CombinedOutput()
	for _, missing := range []string{"target may not be installed", "No available targets are compatible", "unable to find library", "program not executable"} {
		if err != nil && strings.Contains(string(said), missing) {
			t.Skipf("%s is here, but cannot compile to WebAssembly: %s", args[0], missing)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, said)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

const exampleIntent = `{"payload":{"text":"a"}}`

func exampleStart() Event {
	return Event{Kind: KindStart, Intent: []byte(exampleIntent),
		Contract: []byte(`{"service_id":"s","base_url":"https://api.example.com","endpoints":[],"settings":{}}`)}
}

// exampleAnswers goes through an execution, well and badly.
func exampleAnswers(t *testing.T, module *Module) {
	t.Helper()
	step := func(ev Event) Action {
		t.Helper()
		reply, err := module.step(t.Context(), "upper", nil, &ev)
		if err != nil || len(reply.Actions) != 1 {
			t.Fatalf("event of kind %d: %+v, %v", ev.Kind, reply, err)
		}
		return reply.Actions[0]
	}
	call := step(exampleStart())
	if call.Kind != ActionHTTP || call.Method != "POST" || call.URL != "https://api.example.com/upper" || string(call.Body) != exampleIntent ||
		len(call.Headers) != 1 || call.Headers[0] != (Header{"Content-Type", "application/json"}) {
		t.Errorf("start: %+v", call)
	}
	for range 3 { // an instance is used again
		big := `{"text":"` + strings.Repeat("A", 100_000) + `"}`
		done := step(Event{Kind: KindResponse, Status: 200, Headers: []Header{{"X-One", "1"}, {"X-Two", "2"}}, Body: []byte(big)})
		if done.Kind != ActionDone || string(done.Data) != `{"output":`+big+`}` {
			t.Errorf("answer: kind %d, %d bytes", done.Kind, len(done.Data))
		}
	}
	if refused := step(Event{Kind: KindResponse, Status: 503, Body: []byte("busy")}); refused.Kind != ActionFail || refused.Status != 503 || !refused.Retryable || refused.Message == "" {
		t.Errorf("refusal: %+v", refused)
	}
	if unasked := step(Event{Kind: KindTimer}); unasked.Kind != ActionFail {
		t.Errorf("an event that was not asked for: %+v", unasked)
	}
}

// exampleReadsDocuments tries what the ABI says of documents: a later host's may be longer, and not all that looks like one is.
func exampleReadsDocuments(t *testing.T, guest *plainGuest) {
	t.Helper()
	start := exampleStart()
	call := appendCall(nil, "upper", nil, &start)
	for what, c := range map[string]struct {
		doc  []byte
		want ActionKind
	}{
		"a call":                            {call, ActionHTTP},
		"a field that may be skipped":       {appendField(call[:len(call):len(call)], 99, "later"), ActionHTTP},
		"a field that must be known":        {appendField(call[:len(call):len(call)], 0x8063, "later"), ActionFail},
		"a field that comes twice":          {appendField(call[:len(call):len(call)], 1, "upper"), ActionFail},
		"a call that is cut":                {call[:len(call)-1], ActionFail},
		"a call cut in a field's head":      {append(call[:len(call):len(call)], 1, 0, 0), ActionFail},
		"an adapter that is not there":      {appendCall(nil, "other", nil, &start), ActionFail},
		"no document at all":                {nil, ActionFail},
		"a field longer than can be":        {append(call[:len(call):len(call)], 1, 0, 255, 255, 255, 255), ActionFail},
		"an event with what must be known":  {eventWith(0x8063), ActionFail},
		"an event with what may be skipped": {eventWith(99), ActionHTTP},
	} {
		reply, err := guest.raw(c.doc)
		if err != nil || len(reply.Actions) != 1 || reply.Actions[0].Kind != c.want {
			t.Errorf("%s: %+v, %v, want one action of kind %d", what, reply, err, c.want)
		}
	}
}

// eventWith is a call whose event has a field more.
func eventWith(tag uint16) []byte {
	start := exampleStart()
	event := appendField(appendField(appendNumber(nil, 1, int(KindStart)), 2, start.Intent), 3, start.Contract)
	return appendField(appendField(nil, 1, "upper"), 3, appendField(event, tag, "later"))
}

// raw hands over any bytes as a call.
func (p *plainGuest) raw(doc []byte) (Reply, error) {
	results, err := p.guest.ExportedFunction("caio_alloc").Call(p.t.Context(), uint64(len(doc)))
	if err != nil {
		return Reply{}, err
	}
	ptr := uint32(results[0])
	if len(doc) > 0 && !p.guest.Memory().Write(ptr, doc) {
		return Reply{}, errors.New("caio_alloc returned no room")
	}
	if results, err = p.guest.ExportedFunction("caio_step").Call(p.t.Context(), uint64(ptr), uint64(len(doc))); err != nil {
		return Reply{}, err
	}
	out, ok := p.guest.Memory().Read(uint32(results[0]>>32), uint32(results[0]))
	if !ok {
		return Reply{}, errors.New("the reply lies outside of the memory")
	}
	return decodeReply(out)
}
