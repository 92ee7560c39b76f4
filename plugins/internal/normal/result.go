package normal

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Chat writes the answer to a chat as a Result.
func (a *Answer) Chat() []byte {
	text := a.Text
	if len(text) == 0 {
		text = a.Refusal
	}
	if len(a.Refusal) > 0 {
		a.Note("refusal", json.Value("true"))
	}
	return a.Result("chat", func(w *json.Writer) {
		w.Key("message")
		w.Begin('{')
		w.Key("role")
		w.String("assistant")
		w.Key("content")
		w.String(string(text))
		if len(a.Calls) > 0 {
			w.Key("tool_calls")
			w.Begin('[')
			for i := range a.Calls {
				c := &a.Calls[i]
				w.Begin('{')
				w.Key("id")
				w.String(c.ID)
				w.Key("name")
				w.String(c.Name)
				w.Key("arguments")
				w.String(string(c.Arguments))
				textField(w, "signature", c.Signature)
				w.End('}')
			}
			w.End(']')
		}
		if len(a.Thoughts) > 0 {
			w.Key("thoughts")
			w.Begin('[')
			for _, t := range a.Thoughts {
				w.Begin('{')
				textField(w, "text", t.Text)
				textField(w, "signature", t.Signature)
				textField(w, "redacted", t.Redacted)
				w.End('}')
			}
			w.End(']')
		}
		if len(a.Media) > 0 {
			writeMedia(w, a.Media)
		}
		w.End('}')
		w.Key("finish_reason")
		w.String(a.Finish)
	})
}

// Result writes a Result whose body of that kind has the fields that body writes.
func (a *Answer) Result(kind string, body func(w *json.Writer)) []byte {
	var w json.Writer
	w.Begin('{')
	w.Key(kind)
	w.Begin('{')
	body(&w)
	w.End('}')
	if len(a.Metadata) > 0 {
		w.Key("metadata")
		w.Begin('{')
		for _, f := range a.Metadata {
			w.Key(f.Name)
			w.Raw(f.Value)
		}
		w.End('}')
	}
	if a.Usage.Known {
		a.Usage.write(&w)
	}
	textField(&w, "model", a.Model)
	textField(&w, "id", a.ID)
	if len(a.Warnings) > 0 {
		w.Key("warnings")
		w.Begin('[')
		for _, warning := range a.Warnings {
			w.Begin('{')
			w.Key("parameter")
			w.String(warning.Parameter)
			w.Key("message")
			w.String(warning.Message)
			w.End('}')
		}
		w.End(']')
	}
	w.End('}')
	return w.Bytes()
}

func (u *Usage) write(w *json.Writer) {
	names := [...]string{"input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "characters", "units"}
	w.Key("usage")
	w.Begin('{')
	for i, n := range u.counts() {
		if i < 2 || *n != 0 {
			w.Key(names[i])
			w.Int(int64(bound(*n)))
		}
	}
	if u.Seconds > 0 {
		w.Key("seconds")
		w.Float(u.Seconds)
	}
	if u.Cost > 0 {
		w.Key("cost")
		w.Float(u.Cost)
	}
	w.End('}')
}

// Vectors writes the answer to an embedding: one vector for each text, in their order, each a list of numbers as Floats
// returns it.
func (a *Answer) Vectors(vectors []json.Value) []byte {
	return a.Result("embedding", func(w *json.Writer) {
		w.Key("vectors")
		w.Begin('[')
		for _, v := range vectors {
			w.Begin('{')
			w.Key("values")
			w.Raw(v)
			w.End('}')
		}
		w.End(']')
	})
}

// Ranked writes the answer to a rerank, best first: the documents' places and scores.
func (a *Answer) Ranked(ranked []Rank) []byte {
	return a.Result("rerank", func(w *json.Writer) {
		w.Key("ranked")
		w.Begin('[')
		for _, r := range ranked {
			w.Begin('{')
			w.Key("index")
			w.Int(r.Index)
			w.Key("score")
			w.Raw(r.Score)
			w.End('}')
		}
		w.End(']')
	})
}

// A Rank is the place of a document among those that were sent, and the number that the provider gave it.
type Rank struct {
	Index int64
	Score json.Value
}

// Floats reads a vector: numbers, whose digits are kept, or float32, little endian, in base64.
func Floats(v json.Value) (json.Value, error) {
	switch v.Kind() {
	case json.Array:
		for number := range v.Items() {
			if number.Kind() != json.Number {
				return nil, Nonsense("has a vector that holds more than numbers")
			}
		}
		return v, nil
	case json.String:
		raw, err := base64.StdEncoding.DecodeString(v.Text())
		if err != nil || len(raw)%4 != 0 {
			return nil, Nonsense("has a vector that is no base64 of numbers")
		}
		var w json.Writer
		w.Begin('[')
		for i := 0; i < len(raw); i += 4 {
			f := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:])))
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return nil, Nonsense("has a vector with a coordinate that is no number")
			}
			w.Raw(strconv.AppendFloat(nil, f, 'g', -1, 32)) // as many digits as a float32 has
		}
		w.End(']')
		return w.Bytes(), nil
	}
	return nil, Nonsense("has an item without a vector")
}

// textField writes a field, unless it is empty.
func textField(w *json.Writer, name, value string) {
	if value != "" {
		w.Key(name)
		w.String(value)
	}
}
