package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adaptertest"
)

// corpus returns the directory of the recorded exchanges, or skips.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CAIO_PROVIDER_CORPUS")
	if dir == "" {
		dir = "../../../shared/providers" // beside the checkout
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the recorded exchanges of providers are not in %s: they are not ours to ship; set CAIO_PROVIDER_CORPUS to where they are", dir)
	}
	return dir
}

// TestProviders plays every recorded exchange to the adapter that speaks to its provider, and writes the table of it.
func TestProviders(t *testing.T) {
	dir := corpus(t)
	var all table
	for _, p := range All() {
		t.Run(p.Name, func(t *testing.T) {
			r := newRun(t, dir, p)
			all = append(all, r.report)
			files := filepath.Join(dir, r.Corpus, "exchanges")
			if _, err := os.Stat(files); err != nil {
				return // nothing is recorded; the table says so
			}
			exchanges, err := adaptertest.Load(files)
			if err != nil {
				t.Fatal(err)
			}
			if p.Only != nil {
				exchanges = slices.DeleteFunc(exchanges, func(x *Exchange) bool { return !p.Only(x) })
			}
			r.report.there = len(exchanges)
			for _, x := range exchanges {
				t.Run(filepath.Base(x.ID), func(t *testing.T) { r.exchange(t, x) })
			}
			if b := r.report.broken; b.tried > 0 && b.mistyped == 0 {
				t.Errorf("the specification refused none of %d requests with a field of the wrong type: it shows nothing", b.tried)
			}
		})
	}
	if !t.Failed() {
		all.hold(t)
	}
}

// A run tries one provider.
type run struct {
	Provider
	spec     *spec
	base     string
	settings map[string]any
	report   *report
}

func newRun(t *testing.T, dir string, p Provider) *run {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "contracts", p.Contract))
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		API struct {
			BaseURL string `yaml:"base_url"`
		}
		Adapter struct {
			Plugin   string
			Settings map[string]any
		}
	}
	if err := yaml.Unmarshal(raw, &contract); err != nil {
		t.Fatalf("%s: %v", p.Contract, err)
	}
	if name := p.Adapter.Info().Name; contract.Adapter.Plugin != name {
		t.Fatalf("%s names the adapter %q, tried is %q", p.Contract, contract.Adapter.Plugin, name)
	}
	r := &run{Provider: p, base: contract.API.BaseURL, settings: contract.Adapter.Settings, report: newReport(p)}
	if p.BaseURL != "" {
		r.base = p.BaseURL
	}
	if r.Corpus == "" {
		r.Corpus = r.Name
	}
	if r.Spec == "" {
		r.Spec = r.Corpus
	}
	r.spec = openSpec(t, filepath.Join(dir, r.Spec, "openapi.yaml"))
	return r
}

// exchange tries one: its request if it was recorded and has an intent, and its response.
func (r *run) exchange(t *testing.T, x *Exchange) {
	row := r.report.row(x.Kind)
	row.exchanges++
	r.report.tried++
	intent, stream := r.hello(x), x.Response.Stream != "" || has(x.Modifiers, "stream")
	unasked := ""
	if x.Request != nil && !x.Request.Missing && r.Intent != nil {
		own, streamed, skip := r.Intent(x)
		if unasked = skip; skip != "" {
			row.skip(skip)
		} else {
			intent, stream = own, streamed
			r.request(t, x, own, streamed, row)
		}
	}
	want, skip, err := r.Want(x)
	switch {
	case err != nil:
		t.Fatalf("read what the recording says: %v", err)
	case skip != "":
		if skip != unasked {
			row.skip(skip)
		}
		return
	}
	play := r.play(t, x, intent, stream)
	if first, err := play.Run(); err == nil && len(first.Calls) == 0 {
		// The adapter rightly refuses to ask this; the answer that the provider gave is tried all the same.
		t.Logf("not asked: %v", first.Failure)
		play = r.play(t, x, r.hello(x), stream)
	}
	r.response(t, x, play, want, row)
}

func (r *run) hello(x *Exchange) map[string]any {
	if r.Hello != nil {
		return r.Hello(x)
	}
	return map[string]any{"chat": map[string]any{"messages": []any{map[string]any{"role": "user", "content": "Hello"}}}}
}

// play sets an execution up whose first call the recording answers.
func (r *run) play(t *testing.T, x *Exchange, intent map[string]any, stream bool) adaptertest.Play {
	settings := map[string]any{}
	for name, v := range r.settings {
		settings[name] = v
	}
	if r.Settings != nil {
		for name, v := range r.Settings(x) {
			settings[name] = v
		}
	}
	return adaptertest.Play{
		Adapter: r.Adapter, Stream: stream, Intent: marshal(t, intent),
		Contract: marshal(t, map[string]any{"service_id": r.Name, "base_url": r.base, "endpoints": []any{}, "settings": settings}),
		Answer: func(i int, _ adapter.Action) *Response {
			switch {
			case i == 0:
				return x.Response
			case r.Poll != nil:
				return r.Poll(x, i)
			}
			return nil
		},
	}
}

// request holds what the adapter would send against the specification, and against what was recorded.
func (r *run) request(t *testing.T, x *Exchange, intent map[string]any, stream bool, row *row) {
	play := r.play(t, x, intent, stream)
	play.Answer = nil
	out, err := play.Run()
	if err != nil {
		t.Error(err)
		return
	}
	if len(out.Calls) == 0 {
		if has(x.Modifiers, "error") {
			row.refused++ // the provider refused it, too
		} else {
			t.Errorf("the adapter refused a request that was made: %v", out.Failure)
		}
		return
	}
	call := out.Calls[0]
	var sent, recorded, asked any
	if json.Unmarshal(call.Body, &sent) == nil && json.Unmarshal(play.Intent, &asked) == nil && len(nulls("", asked)) == 0 {
		if found := nulls("", sent); len(found) > 0 {
			t.Errorf("the request has explicit nulls: %v", found)
		}
	}
	if sent != nil && json.Unmarshal(x.Request.Body, &recorded) == nil {
		for _, d := range differences("", sent, recorded) {
			t.Log(d)
		}
	}
	if r.Place != nil && r.spec != nil {
		placed, ok := r.Place(call)
		if !ok {
			row.sent++
			return
		}
		call = placed
	}
	if r.spec == nil {
		row.sent++
		return
	}
	if err := r.spec.validate(call, r.base); err != nil {
		t.Errorf("%s %s %s\nis not what the specification allows: %s", call.Method, call.URL, clip(string(call.Body)), clip(err.Error()))
		return
	}
	row.valid++
	r.report.broken.breakUp(r.spec, call, r.base)
}

// response tries the recorded answer: whole and, where frames were asked for, in pieces and cut short.
func (r *run) response(t *testing.T, x *Exchange, play adaptertest.Play, want *Want, row *row) {
	run := play.Run
	if play.Stream && x.Response.Status < 300 {
		run = play.Streamed
	}
	out, err := run()
	if err != nil {
		t.Error(err)
		return
	}
	for _, call := range out.Calls[min(1, len(out.Calls)):] { // what it asked to poll
		if r.spec != nil {
			if err := r.spec.validate(call, r.base); err != nil {
				t.Errorf("%s %s: %s", call.Method, call.URL, clip(err.Error()))
			}
		}
	}
	switch {
	case out.Failure == nil && out.Result == nil:
		t.Errorf("the execution did not end: %d calls, the last has no answer", len(out.Calls))
	case want.Fail && out.Failure == nil:
		t.Errorf("it must fail, but has the result %s", clip(string(out.Result)))
	case want.Fail:
		if err := want.compareFailure(out.Failure, x.Response.Status); err != nil {
			t.Error(err)
		}
		row.errors++
	case out.Failure != nil:
		t.Errorf("it failed: %+v", *out.Failure)
	default:
		if err := want.compare(out.Result); err != nil {
			t.Error(err)
		}
		row.results++
		if out.Frames > 0 {
			row.streams++
			row.frames += out.Frames
		}
	}
	r.writeCase(t, x, play, out)
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func has(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}
