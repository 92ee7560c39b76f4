// Package conformance holds the shipped adapters against what providers themselves published: requests against their
// specifications, answers against recorded exchanges (CAIO_PROVIDER_CORPUS, see the README there). It is a module of its
// own, so that the validator it needs comes into no binary.
//
// One file a provider says how a recorded request reads as an intent, and what its response says, by encoding/json and
// nothing of the adapter: the independent path. The runner (run_test.go) does the rest for all of them.
package conformance

import (
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adaptertest"
)

// A Provider is one that is tried.
type Provider struct {
	Name     string          // its directory in the corpus, unless Corpus says another
	Adapter  adapter.Adapter // the one that speaks to it
	Contract string          // file in plugins/contracts whose base_url and settings the adapter gets
	// Evidence is what its requests are held against, for the table: "official specification", "specification derived from ...",
	// "third-party specification", or "recordings only". It says "conformant" of nobody.
	Evidence string
	// Corpus is the directory of its exchanges, where a provider is asked by more than one adapter. Empty: Name.
	Corpus string
	// Only tells which exchanges are this adapter's, where there are others'. nil: all.
	Only func(x *Exchange) bool
	// Spec is the directory of the corpus whose openapi.yaml holds its requests, where that is another's. Empty: its own, if there
	// is one.
	Spec string
	// Place returns the call that the specification has in place of one of the adapter's, such as the same document under another
	// path; false: it has none. nil: they are the same.
	Place func(call adapter.Action) (adapter.Action, bool)
	// BaseURL replaces the contract's where the specification wants another. Empty: the contract's.
	BaseURL string
	// Settings are put over the contract's for one exchange, such as a model that stands in its URL. nil: none.
	Settings func(x *Exchange) map[string]any
	// Intent turns a recorded request into the intent that asks for the same. skip says why there is none, such as
	// "the normal form has no batches"; it stands in the table. Never called without a recorded request.
	Intent func(x *Exchange) (intent map[string]any, stream bool, skip string)
	// Hello is the intent with which an exchange is tried whose request was not recorded, by the exchange's kind. nil: a chat.
	Hello func(x *Exchange) map[string]any
	// Want reads what the recorded response says. skip says why it is not tried, as above.
	Want func(x *Exchange) (want *Want, skip string, err error)
	// Poll answers the calls that follow the first, where work is created and then polled: the i-th, from 1. nil: there are none.
	Poll func(x *Exchange, i int) *Response
}

// What is recorded; see adaptertest.
type (
	Exchange = adaptertest.Exchange
	Request  = adaptertest.Request
	Response = adaptertest.Response
	Call     = adaptertest.Call
)

// Want is what a response says. Whatever is nil or empty must be so in the result, too, except where it says otherwise.
type Want struct {
	Fail    bool   // the execution must fail
	Reason  string // of the failure; empty: any
	Message string // a part of its message; empty: any

	Text     string
	Thought  string // all thoughts' texts together
	Calls    []Call
	Finish   string // in the normal form
	Model    string // empty: any
	Usage    *Usage
	Vectors  [][]float64
	Ranked   []Rank
	Hits     []Hit
	Pictures int
	Audio    []byte
	Words    []Word
	// Other is called with the whole Result for what has no field here. nil: nothing.
	Other func(result map[string]any) error
}

// Usage is what was consumed.
type Usage struct{ Input, Output, Cached, Reasoning int64 }

// A Rank is a reranked document.
type Rank struct {
	Index int
	Score float64
}

// A Hit is a page that was found.
type Hit struct{ Title, URL string }

// A Word is a word that was spoken, with the seconds at which it begins and ends.
type Word struct {
	Text       string
	Start, End float64
}
