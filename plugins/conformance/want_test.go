package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/sdk/adapter"
)

// said is a Result as encoding/json reads it: a reader of the tests' own.
type said struct {
	Chat *struct {
		Message struct {
			Role      string
			Content   string
			Thoughts  []struct{ Text string }
			ToolCalls []Call `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Code *struct {
		Text         string
		FinishReason string `json:"finish_reason"`
	}
	Embedding     *struct{ Vectors []struct{ Values []float64 } }
	Rerank        *struct{ Ranked []Rank }
	Search        *struct{ Hits []Hit }
	Speech        *struct{ Audio []byte }
	Image         *struct{ Pictures []json.RawMessage }
	Transcription *struct {
		Text  string
		Words []struct {
			Text  string
			Start float64 `json:"start_s"`
			End   float64 `json:"end_s"`
		}
	}
	Usage *struct {
		Input     int64 `json:"input_tokens"`
		Output    int64 `json:"output_tokens"`
		Cached    int64 `json:"cached_input_tokens"`
		Reasoning int64 `json:"reasoning_tokens"`
	}
	Model string
}

// flat makes of a result what a Want would say of it.
func (s *said) flat() (w Want) {
	w.Model = s.Model
	if s.Usage != nil {
		w.Usage = &Usage{s.Usage.Input, s.Usage.Output, s.Usage.Cached, s.Usage.Reasoning}
	}
	if c := s.Chat; c != nil {
		w.Text, w.Finish, w.Calls = c.Message.Content, c.FinishReason, c.Message.ToolCalls
		for _, t := range c.Message.Thoughts {
			w.Thought += t.Text
		}
	}
	if c := s.Code; c != nil {
		w.Text, w.Finish = c.Text, c.FinishReason
	}
	if e := s.Embedding; e != nil {
		for _, v := range e.Vectors {
			w.Vectors = append(w.Vectors, v.Values)
		}
	}
	if r := s.Rerank; r != nil {
		w.Ranked = r.Ranked
	}
	if r := s.Search; r != nil {
		w.Hits = r.Hits
	}
	if r := s.Speech; r != nil {
		w.Audio = r.Audio
	}
	if i := s.Image; i != nil {
		w.Pictures = len(i.Pictures)
	}
	if t := s.Transcription; t != nil {
		w.Text = t.Text
		for _, word := range t.Words {
			w.Words = append(w.Words, Word{word.Text, word.Start, word.End})
		}
	}
	return w
}

// compare holds a result against what is wanted, and returns every difference.
func (w *Want) compare(result []byte) error {
	var s said
	if err := json.Unmarshal(result, &s); err != nil {
		return fmt.Errorf("result %s: %w", clip(string(result)), err)
	}
	got := s.flat()
	var errs []error
	same := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			errs = append(errs, fmt.Errorf("%s is %+v, want %+v", what, got, want))
		}
	}
	if s.Chat != nil {
		same("role", s.Chat.Message.Role, "assistant")
	}
	same("text", got.Text, w.Text)
	same("thought", got.Thought, w.Thought)
	same("finish reason", got.Finish, w.Finish)
	same("calls", slices.Concat(got.Calls), slices.Concat(w.Calls)) // Concat: nil and empty are the same
	if w.Model != "" {
		same("model", got.Model, w.Model)
	}
	same("usage", tokens(got.Usage), tokens(w.Usage))
	same("ranked", slices.Concat(got.Ranked), slices.Concat(w.Ranked))
	same("hits", slices.Concat(got.Hits), slices.Concat(w.Hits))
	same("pictures", got.Pictures, w.Pictures)
	same("words", slices.Concat(got.Words), slices.Concat(w.Words))
	if !bytes.Equal(got.Audio, w.Audio) {
		errs = append(errs, fmt.Errorf("audio has %d bytes, want %d, or other ones", len(got.Audio), len(w.Audio)))
	}
	if !slices.EqualFunc(got.Vectors, w.Vectors, closeTo) {
		errs = append(errs, fmt.Errorf("%d vectors, want %d, or other ones", len(got.Vectors), len(w.Vectors)))
	}
	if w.Other != nil {
		var all map[string]any
		errs = append(errs, json.Unmarshal(result, &all), w.Other(all))
	}
	return errors.Join(errs...)
}

// tokens returns the counts; none known is none.
func tokens(u *Usage) Usage {
	if u == nil {
		return Usage{}
	}
	return *u
}

// closeTo compares vectors as float32, which is what the normal form holds.
func closeTo(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) <= 1e-6*max(1, math.Abs(x), math.Abs(y)) })
}

// compareFailure holds a failure against what is wanted. A refusal by status must say that status.
func (w *Want) compareFailure(f *adapter.Failure, status int) error {
	var errs []error
	if w.Reason != "" && f.Reason != w.Reason {
		errs = append(errs, fmt.Errorf("reason is %q, want %q", f.Reason, w.Reason))
	}
	if !strings.Contains(f.Message, w.Message) {
		errs = append(errs, fmt.Errorf("message is %q, want in it %q", f.Message, w.Message))
	}
	if status > 299 && f.Status != status {
		errs = append(errs, fmt.Errorf("status is %d, want %d", f.Status, status))
	}
	return errors.Join(errs...)
}
