// Package adapter is what an author imports to teach CAIO a new provider.
//
// An adapter is a pure function: an event goes in (an execution begins, an HTTP call was answered, a frame of a stream
// came, a wait is over), actions come out (make this call, hand this piece to the caller, this is the result, it cannot
// be done). It makes no network call, reads no file and knows no secret: the host calls, signs, retries, enforces the
// contract's hosts and frames streams. Whatever the adapter has to remember until the next event it returns as state
// and is handed back; memory of its own may be wiped or belong to another instance by then.
//
// A whole adapter:
//
//	package main
//
//	import "github.com/smarthausgroup/caio/sdk/adapter"
//
//	type upper struct{}
//
//	func (upper) Info() adapter.Info { return adapter.Info{Name: "upper", Version: "1.0.0"} }
//
//	func (upper) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
//		if ev.Kind == adapter.KindStart {
//			return adapter.Do(adapter.HTTP("POST", "https://example.com/upper", ev.Intent)), nil
//		}
//		return adapter.Do(adapter.Done(ev.Body)), adapter.CheckStatus(ev.Status)
//	}
//
//	func init() { adapter.Serve(upper{}) }
//
//	func main() {}
//
// It is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o upper.wasm .
//
// and tested natively, with [Run] and plain go test. ABI.md specifies the boundary byte by byte, for other languages.
//
// The package has the standard library only, and of that neither fmt nor encoding/json nor os: a guest that uses none of
// them is smaller and faster. Its package json reads and writes the documents an adapter meets.
package adapter

// An Adapter speaks to one kind of provider. Both methods must be pure: the same arguments give the same result,
// whatever was called before. The host calls one instance from one goroutine at a time, but many instances at once.
type Adapter interface {
	// Info names the adapter.
	Info() Info
	// Step answers one event. state is what the step before returned, nil for KindStart. ev and all it points to are
	// valid until Step returns. An error ends the execution: a *Failure as it says, any other as retryable
	// EXECUTION_FAILED with the error's text; the reply is then ignored. A panic counts as an error.
	Step(state []byte, ev *Event) (Reply, error)
}

// A Batcher is an Adapter that also takes several frames at once, which saves it reading and writing its state for each.
type Batcher interface {
	Adapter
	// StepFrames answers frames that came together, in their order, as Step would one after the other. What the reply emits is
	// handed on even with an error.
	StepFrames(state []byte, frames []Frame) (Reply, error)
}

// A Frame is one frame of a streamed body, as in an Event.
type Frame struct {
	Name string
	Data []byte
}

// Info names an adapter.
type Info struct {
	Name        string // what contracts write as adapter.plugin, [a-z0-9_-]{1,64}, unique in its module
	Version     string // semantic version
	Description string // one line for people
}

// An Event is what happened. Which fields are set depends on Kind.
type Event struct {
	Kind EventKind

	// KindStart.
	Intent   []byte // the request's Intent, JSON under its proto names
	Contract []byte // JSON: {"service_id", "base_url", "endpoints":[{"path","method"}], "settings":{}}
	Stream   bool   // the caller wants deltas

	// KindResponse: the whole answer or, where the action asked for frames and the answer is a 2xx, its head.
	Status  int
	Headers []Header
	Body    []byte

	// KindFrame: one frame of a streamed body. Name is the SSE event's name, empty if it had none and for NDJSON; of AWS's
	// event stream the :event-type, or "exception/" and the :exception-type.
	Name string
	Data []byte

	more []Frame // that came with this one
}

// EventKind tells what happened.
type EventKind uint8

// The kinds of events. An adapter answers a kind it does not know with an error.
const (
	KindStart    EventKind = 1 // an execution begins
	KindResponse EventKind = 2 // the HTTP call was answered
	KindFrame    EventKind = 3 // a streamed body brought a frame
	KindEnd      EventKind = 4 // a streamed body ended as its framing demands; a broken one never reaches the adapter
	KindTimer    EventKind = 5 // the wait is over
)

// Header is one HTTP header line. Names of answers come as the host received them: compare without regard to case.
type Header struct{ Name, Value string }

// A Reply is what an adapter answers: its state, handed back with the next event, and what is to be done, in order. Only
// the last action may be other than an emit. No action at all asks for the next frame of a stream.
type Reply struct {
	State   []byte
	Actions []Action
}

// An Action is what the adapter asks of the host; [HTTP], [Wait], [Emit] and [Done] build one. Which fields are set
// depends on Kind.
type Action struct {
	Kind ActionKind

	// ActionHTTP.
	Method  string
	URL     string // absolute; the host refuses hosts that the contract does not allow
	Headers []Header
	Body    []byte
	Framing string // how a 2xx body is to be framed: "" (whole), "sse", "ndjson", "eventstream" (of AWS), "bytes" (pieces as they come)

	// ActionWait.
	DelayMS uint32

	// ActionEmit: a Delta, ActionDone: a Result; JSON under their proto names.
	Data []byte

	// ActionFail.
	Code      string // see Failure
	Message   string
	Status    int
	Retryable bool
	Reason    string
}

// ActionKind tells what is to be done.
type ActionKind uint8

// The kinds of actions.
const (
	ActionHTTP ActionKind = 1 // make this HTTP call
	ActionWait ActionKind = 2 // wake me later
	ActionEmit ActionKind = 3 // hand this delta to the caller
	ActionDone ActionKind = 4 // this is the result
	ActionFail ActionKind = 5 // it cannot be done
)

// Do is a reply without state.
func Do(actions ...Action) Reply { return Reply{Actions: actions} }

// HTTP asks for an HTTP call. url is absolute; body nil sends none. Set Framing on the action to have the answer in frames.
func HTTP(method, url string, body []byte, headers ...Header) Action {
	return Action{Kind: ActionHTTP, Method: method, URL: url, Headers: headers, Body: body}
}

// Wait asks to be woken with KindTimer in ms milliseconds.
func Wait(ms uint32) Action { return Action{Kind: ActionWait, DelayMS: ms} }

// Emit hands the caller a piece: a Delta as JSON, such as {"text":"Hel"}.
func Emit(delta []byte) Action { return Action{Kind: ActionEmit, Data: delta} }

// Done ends the execution with a Result as JSON, such as {"output":{"label":"en"}}.
func Done(result []byte) Action { return Action{Kind: ActionDone, Data: result} }
