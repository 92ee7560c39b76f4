package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/schema"
)

func newAdapterDryRunCommand() *cobra.Command {
	d := &dryRun{}
	cmd := &cobra.Command{
		Use:   "dry-run --contract FILE --request FILE [--response FILE]...",
		Short: "Show what an adapter would send for a request, and what it makes of recorded answers",
		Long: `Dry-run executes a request with the adapter that a contract names, calls nobody and needs no secrets. Without answers it shows
the first request that would go out; a credential stands there as "<secret NAME>". With answers it goes on, each of them
answering one call in order, and shows what came of it: host, framing and adapter do what they do on a server, but
nothing waits.

--contract is as for 'caio contract check'. --request is a request as for 'caio orchestrate', the body of an
Orchestrate call ({"request": ...}), or an intent alone; only its intent counts. --response is

  {"status": 200, "headers": {...}, "body": ...}   a JSON body, or in its place
    "sse", "ndjson", "stream"                      a stream as text, or as a list of its events
    "body_text", "body_base64"                     any other body; an AWS event stream is in base64

or a document that has such a one as "response". Without a status it is 200; a stream's last event may lack its blank
line. Deltas are asked for with --stream, with "stream": true beside the intent, or where an answer is a stream.

The output is one JSON document, kept stable for scripts:

  service_id, adapter {name, version, digest}, stream
  outcome           "result", "error", or "unanswered": there was no answer left to the last request
  request           {method, url, headers, body | body_text | body_base64}, the first that goes out; null: the adapter made none
  further_requests  those after it, where there are some; waits_ms the waits that were asked for
  events            the deltas, in order; result (caio.v1.Result), cost {amount, currency} (null: unknown)
  error             {code, message, hint, status, reason, retryable}, or null

Exit code 0: the adapter did its work; that a provider's error came of it, or that it refused the request by a parameter's name, is
such a work, and stands under error. 1: contract or request are not valid, or the adapter broke down, asked for what it may not, or is
not there. 2: the command line is wrong. 3: a file cannot be read.`,
		Example: "  caio adapter dry-run --contract openai.yaml --request chat.json\n" +
			"  caio adapter dry-run --contract openai.yaml --request chat.json --response recorded.json | jq .result",
		Args: noArguments,
	}
	out := addOutput(cmd)
	out.format = "json"
	cmd.Flags().Lookup("output").DefValue = "json"
	cmd.Flags().StringVar(&d.contract, "contract", "", "contract of the service, a file; - for standard input")
	cmd.Flags().StringVar(&d.request, "request", "", "request as JSON; - for standard input")
	cmd.Flags().StringArrayVar(&d.responses, "response", nil, "recorded answer as JSON; may be repeated, one for each call")
	cmd.Flags().StringVar(&d.plugins, "plugins", "", "directory with adapter modules (*.wasm) beside the shipped ones")
	cmd.Flags().BoolVar(&d.stream, "stream", false, "ask the adapter for deltas; --stream=false: for none, whatever the files say")
	_ = cmd.MarkFlagRequired("contract")
	_ = cmd.MarkFlagRequired("request")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d.decided = cmd.Flags().Changed("stream")
		shown, good, err := d.run(cmd.Context(), cmd.InOrStdin())
		if err != nil {
			return err
		}
		if out.json() {
			err = document(cmd.OutOrStdout(), shown)
		} else {
			err = shown.text(cmd.OutOrStdout())
		}
		if err == nil && !good {
			return refused(nil)
		}
		return err
	}
	return cmd
}

// dryRun is one command line.
type dryRun struct {
	contract, request, plugins string
	responses                  []string
	stream, decided            bool // decided: the flag was given
}

// run executes the request. good: the adapter did what adapters do, whatever came of it.
func (d *dryRun) run(ctx context.Context, stdin io.Reader) (shown *dryRunShown, good bool, err error) {
	call := gateway.Call{Stream: d.stream}
	c, err := d.readContract(stdin)
	if err != nil {
		return nil, false, err
	}
	call.Contract = c.Message()
	intent, streamed, err := readIntent(stdin, d.request)
	if err != nil {
		return nil, false, err
	}
	call.Intent = intent
	var answers []gateway.Answer
	for _, file := range d.responses {
		answer, stream, err := readAnswer(stdin, file)
		if err != nil {
			return nil, false, err
		}
		answers = append(answers, answer)
		streamed = streamed || stream
	}
	if !d.decided {
		call.Stream = streamed
	}
	runtime, err := openAdapters(ctx)
	if err != nil {
		return nil, false, failed(err)
	}
	defer runtime.Close(context.WithoutCancel(ctx)) // nothing of it is used again
	named := call.Contract.GetAdapter()
	a, err := findAdapter(ctx, runtime, d.plugins, named.GetPlugin(), named.GetDigest())
	if err != nil {
		return nil, false, refused(err)
	}
	call.Adapter = a
	run, err := gateway.Rehearse(ctx, call, answers...)
	shown = &dryRunShown{ServiceID: c.ID(), Stream: call.Stream, Adapter: dryRunAdapter{a.Name(), a.Info().Version, a.Digest()}, Events: []json.RawMessage{}}
	if secret := named.GetAuth().GetSecret(); secret != "" {
		shown.secret = "<secret " + secret + ">"
	}
	var e *gateway.Error
	if err != nil && !errors.As(err, &e) {
		return nil, false, failed(err)
	}
	good = e == nil || run.Said || e.Code != gateway.CodeTransformation && len(run.Requests) > 0
	return shown, good, shown.fill(run, e)
}

func (d *dryRun) readContract(stdin io.Reader) (*contract.Contract, error) {
	parser, err := contract.NewSchema()
	if err != nil {
		return nil, failed(err)
	}
	source, err := openInput(stdin, "contract", d.contract)
	if err != nil {
		return nil, err
	}
	name := d.contract
	if name == "-" {
		name = "stdin"
	}
	c, err := parser.Parse(name, source)
	if err != nil {
		return nil, refused(err)
	}
	return c, nil
}

// dryRunShown is what dry-run prints; see its help.
type dryRunShown struct {
	ServiceID string            `json:"service_id"`
	Adapter   dryRunAdapter     `json:"adapter"`
	Stream    bool              `json:"stream"`
	Outcome   string            `json:"outcome"`
	Request   *dryRunRequest    `json:"request"`
	Further   []*dryRunRequest  `json:"further_requests,omitempty"`
	WaitsMS   []int64           `json:"waits_ms,omitempty"`
	Events    []json.RawMessage `json:"events"`
	Result    json.RawMessage   `json:"result"`
	Cost      *dryRunCost       `json:"cost"`
	Error     *dryRunError      `json:"error"`

	secret string // its placeholder; empty: nothing is signed
}

type dryRunAdapter struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

type dryRunRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Text    string            `json:"body_text,omitempty"`
	Base64  []byte            `json:"body_base64,omitempty"`
}

type dryRunCost struct {
	Amount   float64 `json:"amount"`
	Currency string  `json:"currency"`
}

type dryRunError struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
	Status    int    `json:"status,omitempty"`
	Reason    string `json:"reason"`
	Retryable bool   `json:"retryable"`
}

// fill takes over what came of the run.
func (s *dryRunShown) fill(run *gateway.DryRun, e *gateway.Error) error {
	for i, r := range run.Requests {
		shown, err := showRequest(r)
		if err != nil {
			return err
		}
		// In a query the placeholder is escaped; for scripts it shall look the same everywhere.
		shown.URL = strings.ReplaceAll(shown.URL, url.QueryEscape(s.secret), s.secret)
		if i == 0 {
			s.Request = shown
		} else {
			s.Further = append(s.Further, shown)
		}
	}
	for _, d := range run.Waits {
		s.WaitsMS = append(s.WaitsMS, d.Milliseconds())
	}
	for _, delta := range run.Deltas {
		raw, err := schema.JSON(delta)
		if err != nil {
			return err
		}
		s.Events = append(s.Events, raw)
	}
	switch {
	case run.Unanswered:
		s.Outcome = "unanswered"
	case e != nil:
		s.Outcome = "error"
		s.Error = &dryRunError{e.Code, e.Message, e.Hint, e.Status, e.Reason, e.Retryable}
	default:
		s.Outcome = "result"
		if cost := run.Outcome.Observed.Cost; cost != nil {
			s.Cost = &dryRunCost{*cost, run.Outcome.Observed.GetCurrency()}
		}
		var err error
		s.Result, err = schema.JSON(run.Outcome.Result)
		return err
	}
	return nil
}

// showRequest returns a request as JSON: a JSON body as it is, another one as text, or in base64 where it is none.
func showRequest(r *http.Request) (*dryRunRequest, error) {
	shown := &dryRunRequest{Method: r.Method, URL: r.URL.String(), Headers: map[string]string{}}
	for name, values := range r.Header {
		shown.Headers[name] = strings.Join(values, ", ")
	}
	if r.Body == nil {
		return shown, nil
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the body of a request: %w", err)
	case json.Valid(body):
		shown.Body = body
	case utf8.Valid(body):
		shown.Text = string(body)
	default:
		shown.Base64 = body
	}
	return shown, nil
}

// text shows the same to people.
func (s *dryRunShown) text(w io.Writer) error {
	var b bytes.Buffer
	for _, r := range append([]*dryRunRequest{s.Request}, s.Further...) {
		if r == nil {
			continue
		}
		fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			fmt.Fprintf(&b, "%s: %s\n", name, r.Headers[name])
		}
		switch {
		case r.Body != nil:
			fmt.Fprintf(&b, "\n%s\n", r.Body)
		case r.Text != "":
			fmt.Fprintf(&b, "\n%s\n", r.Text)
		case r.Base64 != nil:
			fmt.Fprintf(&b, "\n%d bytes; -o json prints them\n", len(r.Base64))
		}
		b.WriteByte('\n')
	}
	for _, e := range s.Events {
		fmt.Fprintf(&b, "event   %s\n", e)
	}
	switch s.Outcome {
	case "result":
		fmt.Fprintf(&b, "result  %s\n", s.Result)
	case "error":
		fmt.Fprintf(&b, "error   %s: %s\n", s.Error.Code, s.Error.Message)
	default:
		b.WriteString("no answer was given to the last request: --response FILE\n")
	}
	_, err := io.WriteString(w, printableText(b.String()))
	return err
}

// openInput reads a file of the command line; - is standard input.
func openInput(stdin io.Reader, what, file string) ([]byte, error) {
	raw, err := readFileOrStdin(stdin, file)
	if err != nil {
		return nil, failed(fmt.Errorf("read the %s: %w", what, err))
	}
	return raw, nil
}
