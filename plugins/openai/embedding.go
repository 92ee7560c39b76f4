package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// embedding asks for vectors. There is nothing to stream: a caller that wants deltas gets the result alone.
func (s *settings) embedding(e json.Value, stream bool) (adapter.Reply, error) {
	var w json.Writer
	w.Begin('{')
	if err := s.pick(&w, "embedding.model", e.Get("model").Text()); err != nil {
		return adapter.Reply{}, err
	}
	after := state{kind: kindEmbedding, stream: stream}
	for name, v := range e.Fields() {
		switch name {
		case "model":
		case "input":
			for range v.Items() {
				after.inputs++
			}
			w.Key("input")
			w.Raw(v)
		case "dimensions":
			if v.Exists() {
				w.Key("dimensions")
				w.Raw(v)
			}
		default:
			if !v.Empty() {
				return adapter.Reply{}, adapter.Unsupported("embedding."+name, "the API has no such parameter")
			}
		}
	}
	if after.inputs == 0 {
		return adapter.Reply{}, &adapter.Failure{Code: adapter.InvalidRequest, Message: "embedding.input: there is no text"}
	}
	call, err := s.post("/embeddings", &w, "application/json")
	if err != nil {
		return adapter.Reply{}, err
	}
	return adapter.Reply{State: after.bytes(), Actions: []adapter.Action{call}}, nil
}

// vectors reads an answer with one vector for each text. The order is that of the index, which need not be that of the list.
func (s *state) vectors(body json.Value) (adapter.Reply, error) {
	list := make([]json.Value, s.inputs)
	n := uint32(0)
	for item := range body.Get("data").Items() {
		at := int64(n)
		if index, ok := item.Get("index").Int(); ok {
			at = index
		}
		if at < 0 || at >= int64(s.inputs) || list[at] != nil {
			return adapter.Reply{}, nonsense("has a vector for a text that was not sent, or two for one")
		}
		vector, err := floats(item.Get("embedding"))
		if err != nil {
			return adapter.Reply{}, err
		}
		list[at] = vector
		n++
	}
	if n != s.inputs {
		return adapter.Reply{}, nonsense("has " + strconv.Itoa(int(n)) + " vectors for " + strconv.Itoa(int(s.inputs)) + " texts")
	}
	s.model = body.Get("model").Text()
	usage := body.Get("usage")
	s.count(usage)
	var w json.Writer
	w.Begin('{')
	w.Key("embedding")
	w.Begin('{')
	w.Key("vectors")
	w.Begin('[')
	for _, v := range list {
		w.Begin('{')
		w.Key("values")
		w.Raw(v)
		w.End('}')
	}
	w.End(']')
	w.End('}')
	s.tail(&w)
	return adapter.Do(adapter.Done(w.Bytes())), nil
}

// floats reads a vector: numbers, whose digits are kept, or float32 in base64.
func floats(v json.Value) (json.Value, error) {
	switch v.Kind() {
	case json.Array:
		for number := range v.Items() {
			if number.Kind() != json.Number {
				return nil, nonsense("has a vector that holds more than numbers")
			}
		}
		return v, nil
	case json.String:
		raw, err := base64.StdEncoding.DecodeString(v.Text())
		if err != nil || len(raw)%4 != 0 {
			return nil, nonsense("has a vector that is no base64 of numbers")
		}
		var w json.Writer
		w.Begin('[')
		for i := 0; i < len(raw); i += 4 {
			f := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:])))
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return nil, nonsense("has a vector with a coordinate that is no number")
			}
			w.Raw(strconv.AppendFloat(nil, f, 'g', -1, 32)) // as many digits as a float32 has
		}
		w.End(']')
		return w.Bytes(), nil
	}
	return nil, nonsense("has an item without a vector")
}
