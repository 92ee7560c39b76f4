package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func newAdapterTestCommand() *cobra.Command {
	var cases string
	cmd := &cobra.Command{
		Use:   "test DIR",
		Short: "Run an adapter's own tests, and play its cases to the compiled module",
		Long: `Test runs what the adapter's language has for tests ('go test'), compiles the adapter, and plays every case to the module as a
server would. A case is a JSON file:

  {"adapter": "NAME",                       where the module has several
   "contract": {"base_url": "https://...", "settings": {}},
   "intent": {...}, "stream": false,
   "answers": [{"status", "headers", "body" | ...}],   as for 'caio adapter dry-run --response'
   "want": {...}}                           what dry-run must print: fields that are not named may be anything

Exit code 0: all passed. 1: one failed, or it does not compile. 2: the command line is wrong. 3: something failed.`,
		Example: "  caio adapter test .\n  caio adapter test echo --cases recorded -o json",
		Args:    cobra.ExactArgs(1),
	}
	out := addOutput(cmd)
	cmd.Flags().StringVar(&cases, "cases", "", "directory with cases (default: DIR/testdata)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		tested, err := testAdapter(cmd.Context(), args[0], cases, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return tested.show(cmd.OutOrStdout(), out.json())
	}
	return cmd
}

// tested is what test prints. Its JSON form is kept stable.
type tested struct {
	OK     bool         `json:"ok"`
	Native bool         `json:"native"` // the language's own tests were run, and passed
	Cases  []testedCase `json:"cases"`
}

type testedCase struct {
	File  string `json:"file"`
	OK    bool   `json:"ok"`
	Wrong string `json:"wrong"` // what it was instead; empty: nothing
}

func testAdapter(ctx context.Context, dir, cases string, w io.Writer) (*tested, error) {
	l, _, err := detect(dir)
	if err != nil {
		return nil, failed(err)
	}
	t := &tested{OK: true, Cases: []testedCase{}}
	if l.native != nil {
		if err := l.command(ctx, dir, l.native, nil, w); err != nil {
			return nil, err
		}
		t.Native = true
	}
	built, err := os.MkdirTemp("", "caio-adapter")
	if err != nil {
		return nil, failed(err)
	}
	defer os.RemoveAll(built)
	file, err := buildAdapter(ctx, dir, filepath.Join(built, "adapter.wasm"), w)
	if err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, failed(err)
	}
	runtime, err := openAdapters(ctx)
	if err != nil {
		return nil, failed(err)
	}
	defer runtime.Close(context.WithoutCancel(ctx)) // nothing of it is used again
	module, err := runtime.Load(ctx, dir, wasm)
	if err != nil {
		return nil, refused(err)
	}
	if cases == "" {
		cases = filepath.Join(dir, "testdata")
	}
	files, err := filepath.Glob(filepath.Join(cases, "*.json"))
	if err != nil {
		return nil, failed(err)
	}
	for _, file := range files {
		c := testedCase{File: file}
		if err := playCase(ctx, module, file); err != nil {
			c.Wrong, t.OK = err.Error(), false
		} else {
			c.OK = true
		}
		t.Cases = append(t.Cases, c)
	}
	if !t.Native && len(t.Cases) == 0 {
		return nil, refused(fmt.Errorf("%s holds no cases (*.json), so nothing was tested", cases))
	}
	return t, nil
}

func (t *tested) show(w io.Writer, asJSON bool) (err error) {
	if asJSON {
		err = document(w, t)
	} else {
		for _, c := range t.Cases {
			verdict := "ok"
			if !c.OK {
				verdict = "FAIL: " + c.Wrong
			}
			fmt.Fprintf(w, "%s  %s\n", c.File, printableText(verdict))
		}
		_, err = fmt.Fprintf(w, "%d cases, %d failed\n", len(t.Cases), failures(t.Cases))
	}
	if err == nil && !t.OK {
		return refused(nil)
	}
	return err
}

func failures(cases []testedCase) (n int) {
	for _, c := range cases {
		if !c.OK {
			n++
		}
	}
	return n
}

// A caseFile is one case; see the help of test.
type caseFile struct {
	Adapter  string `json:"adapter"`
	Contract struct {
		BaseURL  string         `json:"base_url"`
		Settings map[string]any `json:"settings"`
	} `json:"contract"`
	Intent  json.RawMessage `json:"intent"`
	Stream  bool            `json:"stream"`
	Answers []*recorded     `json:"answers"`
	Want    map[string]any  `json:"want"`
}

// playCase returns what is wrong: with the case, or with what the module makes of it.
func playCase(ctx context.Context, module *adapter.Module, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c caseFile
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return fmt.Errorf("the case cannot be read: %w", err)
	}
	if len(c.Want) == 0 {
		return errors.New("the case wants nothing, so it could not fail")
	}
	shown, err := c.rehearse(ctx, module)
	if err != nil {
		return err
	}
	printed, err := json.Marshal(shown)
	if err != nil {
		return err
	}
	var got map[string]any
	if err := json.Unmarshal(printed, &got); err != nil {
		return err
	}
	return within("", got, c.Want)
}

func (c *caseFile) rehearse(ctx context.Context, module *adapter.Module) (*dryRunShown, error) {
	catalog, err := adapter.NewCatalog(module)
	if err != nil {
		return nil, err
	}
	if c.Adapter == "" {
		c.Adapter = module.Adapters()[0].Name
	}
	a, err := catalog.Find(c.Adapter, "")
	if err != nil {
		return nil, err
	}
	settings, err := structpb.NewStruct(c.Contract.Settings)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	intent := &caiov1.Intent{}
	if err := schema.ParseJSON(c.Intent, intent); err != nil {
		return nil, fmt.Errorf("intent: %w", err)
	}
	var answers []gateway.Answer
	for i, r := range c.Answers {
		answer, err := r.answer()
		if err != nil {
			return nil, fmt.Errorf("answer %d: %w", i, err)
		}
		answers = append(answers, answer)
	}
	call := gateway.Call{Adapter: a, Intent: intent, Stream: c.Stream, Contract: &caiov1.Contract{
		ServiceId: "test", Api: &caiov1.Api{Protocol: "http", BaseUrl: c.Contract.BaseURL},
		Adapter: &caiov1.AdapterBinding{Plugin: a.Name(), Settings: settings},
	}}
	run, err := gateway.Rehearse(ctx, call, answers...)
	var e *gateway.Error
	if err != nil && !errors.As(err, &e) {
		return nil, err
	}
	shown := &dryRunShown{ServiceID: "test", Stream: c.Stream, Adapter: dryRunAdapter{a.Name(), a.Info().Version, a.Digest()}, Events: []json.RawMessage{}}
	return shown, shown.fill(run, e)
}

// within tells where got lacks what want says: objects, those in lists too, may have more fields than are wanted, all else must be the
// same.
func within(at string, got, want any) error {
	switch want := want.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok {
			break
		}
		var errs []error
		for _, name := range slices.Sorted(maps.Keys(want)) {
			errs = append(errs, within(at+"."+name, have[name], want[name]))
		}
		return errors.Join(errs...)
	case []any:
		have, ok := got.([]any)
		if !ok || len(have) != len(want) {
			break
		}
		var errs []error
		for i := range want {
			errs = append(errs, within(fmt.Sprintf("%s[%d]", at, i), have[i], want[i]))
		}
		return errors.Join(errs...)
	case float64:
		// Vectors are float32 in the normal form, whatever digits a provider wrote.
		if have, ok := got.(float64); ok && (have == want || float32(have) == float32(want)) {
			return nil
		}
	default:
		if reflect.DeepEqual(got, want) {
			return nil
		}
	}
	return fmt.Errorf("%s is %s, want %s", cmp.Or(at, "."), compact(got), compact(want))
}

func compact(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
