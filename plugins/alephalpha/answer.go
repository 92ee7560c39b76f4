package alephalpha

import (
	"strconv"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// whole reads an answer that did not come as a stream.
func (s *state) whole(body []byte) (adapter.Reply, error) {
	v, err := json.Parse(body)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("is " + err.Error())
	}
	if v.Get("error").Exists() {
		return adapter.Reply{}, normal.ErrorInside(v)
	}
	s.count(v)
	switch s.kind {
	case "code":
		one := v.Pointer("/completions/0")
		if one.Kind() != json.Object {
			return adapter.Reply{}, normal.Nonsense("has no completions")
		}
		s.answer.Say(one.Get("completion").Text())
		s.answer.Finish = finish(one.Get("finish_reason").Text())
		s.version(v)
		return adapter.Do(adapter.Done(s.answer.Code(string(s.answer.Text)))), nil
	case "embedding":
		s.version(v)
		return s.vectors(v)
	case "rerank":
		return s.ranked(v)
	}
	return adapter.Do(adapter.Done(s.answer.Output(v))), nil
}

// frame takes one event of a stream of completions.
func (s *state) frame(data []byte) (adapter.Reply, error) {
	v, err := json.Parse(data)
	if err != nil {
		return adapter.Reply{}, normal.Nonsense("has a frame that is " + err.Error())
	}
	if v.Get("error").Exists() {
		return adapter.Reply{}, normal.ErrorInside(v)
	}
	switch v.Get("type").Text() {
	case "stream_chunk":
		s.answer.Say(v.Get("completion").Text())
	case "stream_summary":
		s.answer.Finish = finish(v.Get("finish_reason").Text())
		s.version(v)
	case "completion_summary":
		s.count(v)
		if s.answer.Finish == "" {
			return adapter.Reply{}, normal.BrokeOff("it gave no stream_summary")
		}
		return s.answer.DoneCode()
	}
	emits := s.answer.Emits()
	return adapter.Reply{State: s.bytes(), Actions: emits}, nil
}

func finish(reason string) string {
	switch reason {
	case "maximum_tokens":
		return "length"
	case "end_of_text", "stop_sequence_reached":
		return "stop"
	}
	return reason
}

// version notes which make of a model answered; its name the API does not repeat.
func (s *state) version(v json.Value) {
	if version := v.Get("model_version"); version.Kind() == json.String && !version.Empty() {
		s.answer.Note("model_version", version)
	}
}

// count reads usage. A rerank's is a total, since nothing is written.
func (s *state) count(v json.Value) {
	in, okIn := v.Get("num_tokens_prompt_total").Int()
	out, okOut := v.Get("num_tokens_generated").Int()
	if total, ok := v.Pointer("/usage/total_tokens").Int(); ok && !okIn && !okOut {
		out, _ = v.Pointer("/usage/completion_tokens").Int()
		in, okIn = total-out, true
	}
	if okIn || okOut {
		s.answer.Usage = normal.Usage{Known: true, In: in, Out: out}
	}
}

// vectors reads one vector for each text; the path for a single text answers with a single one.
func (s *state) vectors(v json.Value) (adapter.Reply, error) {
	var list []json.Value
	for vector := range v.Get("embeddings").Items() {
		list = append(list, vector)
	}
	if one := v.Get("embedding"); list == nil && one.Exists() {
		list = append(list, one)
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

func (s *state) ranked(v json.Value) (adapter.Reply, error) {
	results := v.Get("results")
	if results.Kind() != json.Array {
		return adapter.Reply{}, normal.Nonsense("has no results")
	}
	var ranked []normal.Rank
	for r := range results.Items() {
		index, ok := r.Get("index").Int()
		score := r.Get("relevance_score")
		if !ok || index < 0 || index >= int64(s.inputs) || score.Kind() != json.Number {
			return adapter.Reply{}, normal.Nonsense("ranks a document that was not sent, or gives it no score")
		}
		ranked = append(ranked, normal.Rank{Index: index, Score: score})
	}
	return adapter.Do(adapter.Done(s.answer.Ranked(ranked))), nil
}
