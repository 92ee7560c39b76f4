package adapter

// An Event goes into a guest. Which fields are set depends on Kind.
type Event struct {
	Kind EventKind

	// KindStart.
	Intent   []byte // the request's Intent, JSON under its proto names
	Contract []byte // JSON: {"service_id", "base_url", "endpoints":[{"path","method"}], "settings":{}}
	Stream   bool   // the caller wants deltas

	// KindResponse: the whole answer, or, where the action asked for frames and the answer is a 2xx, its head.
	Status  int
	Headers []Header
	Body    []byte

	// KindFrame: one frame of a streamed body. Name is the SSE event's name, empty for NDJSON.
	Name string
	Data []byte
	More []Frame // further frames that came with this one, at most MaxMore; nil: none
}

// MaxMore is how many further frames one event may bring.
const MaxMore = 31

// A Frame is one frame of a streamed body.
type Frame struct {
	Name string
	Data []byte
}

// EventKind tells what happened.
type EventKind uint8

// The kinds of events.
const (
	KindStart    EventKind = 1 // an execution begins
	KindResponse EventKind = 2 // the HTTP call was answered
	KindFrame    EventKind = 3 // a streamed body brought a frame
	KindEnd      EventKind = 4 // a streamed body ended as its framing demands; a broken one never reaches the guest
	KindTimer    EventKind = 5 // the wait is over
)

// Header is one HTTP header line.
type Header struct{ Name, Value string }

// A Reply is what a guest returned for one event: its state, to be handed back with the next event, and what is to be
// done, in order. Only the last action may be other than ActionEmit. No action at all asks for the next frame.
type Reply struct {
	State   []byte
	Actions []Action
}

// An Action is what a guest asks of the host. Which fields are set depends on Kind.
type Action struct {
	Kind ActionKind

	// ActionHTTP.
	Method  string
	URL     string // absolute
	Headers []Header
	Body    []byte
	Framing string // how a 2xx body is to be framed: "" (whole), "sse", "ndjson", "eventstream", "bytes"

	// ActionWait.
	DelayMS uint32

	// ActionEmit: a Delta, ActionDone: a Result; JSON under their proto names.
	Data []byte

	// ActionFail.
	Code      string // a code of caio.v1.Error; empty: EXECUTION_FAILED
	Message   string
	Status    int    // the provider's HTTP status, 0: none
	Retryable bool   // another candidate, or the same later, may succeed
	Reason    string // what the provider meant, as in caio.v1.Error; empty: not said
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
