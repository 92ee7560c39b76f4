package huggingface

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// whole reads an answer that did not come as a stream.
func (s *state) whole(ev *adapter.Event) (adapter.Reply, error) {
	kind := normal.MediaType(ev.Headers)
	if (s.kind == "image" || s.kind == "speech") && strings.HasPrefix(kind, map[string]string{"image": "image/", "speech": "audio/"}[s.kind]) {
		return s.bytesOf(ev.Body, kind)
	}
	v, err := json.Parse(ev.Body)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	if v.Get("error").Exists() {
		return adapter.Reply{}, normal.ErrorInside(v)
	}
	switch s.kind {
	case "code":
		return s.generated(v)
	case "embedding":
		return s.vectors(v)
	case "rerank":
		return s.ranked(v)
	case "transcription":
		if v.Get("text").Kind() != json.String {
			return adapter.Reply{}, normal.Nonsense("has no text")
		}
		return adapter.Do(adapter.Done(s.answer.Transcript(&normal.Transcript{Text: v.Get("text").Text()}))), nil
	case "image", "speech":
		return adapter.Reply{}, normal.Nonsense("is JSON, where " + s.kind + " was to come as bytes")
	}
	return adapter.Do(adapter.Done(s.answer.Output(v))), nil
}

func (s *state) bytesOf(body []byte, kind string) (adapter.Reply, error) {
	if len(body) == 0 {
		return adapter.Reply{}, normal.Nonsense("is empty")
	}
	if s.kind == "speech" {
		return adapter.Do(adapter.Done(s.answer.Speech(body, kind))), nil
	}
	picture := normal.Picture{MediaType: kind, Data: base64.StdEncoding.EncodeToString(body)}
	return adapter.Do(adapter.Done(s.answer.Pictures([]normal.Picture{picture}))), nil
}

// generated reads {"generated_text", "details"}, alone or as the one item of a list.
func (s *state) generated(v json.Value) (adapter.Reply, error) {
	if v.Kind() == json.Array {
		v = v.Pointer("/0")
	}
	text := v.Get("generated_text")
	if text.Kind() != json.String {
		return adapter.Reply{}, normal.Nonsense("has no generated_text")
	}
	s.details(v.Get("details"))
	return adapter.Do(adapter.Done(s.answer.Code(text.Text()))), nil
}

// details reads why a text ended, and what it took. What was read is counted in streams only; else its tokens are listed, if at all.
func (s *state) details(v json.Value) {
	switch reason := v.Get("finish_reason").Text(); reason {
	case "eos_token", "stop_sequence":
		s.answer.Finish = "stop"
	default:
		s.answer.Finish = reason
	}
	in, okIn := v.Get("input_length").Int()
	for range v.Get("prefill").Items() {
		if !okIn {
			in++
		}
	}
	if out, ok := v.Get("generated_tokens").Int(); ok || okIn {
		s.answer.Usage = normal.Usage{Known: true, In: in, Out: out}
	}
}

// frame takes one token of a stream; the last brings the whole text, too.
func (s *state) frame(data []byte) (adapter.Reply, error) {
	v, err := json.Parse(data)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("has a frame that is " + err.Error())
	}
	if v.Get("error").Exists() {
		return adapter.Reply{}, normal.ErrorInside(v)
	}
	if token := v.Get("token"); !token.Get("special").True() { // such as the end of a text, which is not part of it
		s.answer.Say(token.Get("text").Text())
	}
	if v.Get("generated_text").Kind() == json.String {
		s.details(v.Get("details"))
		return s.answer.DoneCode()
	}
	emits := s.answer.Emits()
	return adapter.Reply{State: s.bytes(), Actions: emits}, nil
}

// vectors reads one vector for each text; some models answer a single text with its vector alone.
func (s *state) vectors(v json.Value) (adapter.Reply, error) {
	var list []json.Value
	switch first := v.Pointer("/0"); {
	case first.Kind() == json.Number:
		list = append(list, v)
	case first.Kind() == json.Array && first.Pointer("/0").Kind() == json.Array:
		return adapter.Reply{}, normal.Nonsense("has a vector for each token: the model does not make one of a text")
	default:
		for vector := range v.Items() {
			list = append(list, vector)
		}
	}
	if len(list) != int(s.inputs) {
		return adapter.Reply{}, normal.Nonsense("has " + strconv.Itoa(len(list)) + " vectors for " + strconv.Itoa(int(s.inputs)) + " texts")
	}
	for i := range list {
		var err error
		if list[i], err = normal.Floats(list[i]); err != nil {
			return adapter.Reply{}, err
		}
	}
	return adapter.Do(adapter.Done(s.answer.Vectors(list))), nil
}

// ranked reads the texts' places and scores, best first, and keeps as many as were wanted.
func (s *state) ranked(v json.Value) (adapter.Reply, error) {
	if v.Kind() != json.Array {
		return adapter.Reply{}, normal.Nonsense("is no list of places and scores")
	}
	var ranked []normal.Rank
	for r := range v.Items() {
		index, ok := r.Get("index").Int()
		score := r.Get("score")
		if !ok || index < 0 || index >= int64(s.inputs) || score.Kind() != json.Number {
			return adapter.Reply{}, normal.Nonsense("ranks a text that was not sent, or gives it no score")
		}
		if len(ranked) < int(s.most) {
			ranked = append(ranked, normal.Rank{Index: index, Score: score})
		}
	}
	return adapter.Do(adapter.Done(s.answer.Ranked(ranked))), nil
}
