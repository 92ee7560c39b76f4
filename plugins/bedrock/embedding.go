package bedrock

import (
	"errors"
	"strconv"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// most is how many texts Cohere takes in a call. Titan takes one.
const most = 96

// An embedding is what is known between the calls of one.
type embedding struct {
	normal.Answer
	url     string
	texts   json.Value // those that were not sent yet, a list
	sent    int64      // texts in the call under way
	each    json.Value // the fields of every call beside its texts
	batches bool       // several texts a call, as Cohere has it
	vectors json.Value // those that came, a list
}

func (s *settings) embed(c *normal.Call) (adapter.Reply, error) {
	if err := c.Takes("model", "input", "dimensions", "purpose"); err != nil {
		return adapter.Reply{}, err
	}
	e := embedding{url: s.url(c, "invoke"), texts: c.Body.Get("input"), batches: s.family == cohere, vectors: json.Value("[]")}
	n, each := int64(0), int64(1)
	for range e.texts.Items() {
		n++
	}
	if e.batches {
		each = most
	}
	switch {
	case n == 0:
		return adapter.Reply{}, normal.Invalid("embedding.input", "there is no text")
	case n > s.maxCalls*each:
		return adapter.Reply{}, adapter.Unsupported("embedding.input", "the model takes "+strconv.FormatInt(each, 10)+" a call, and adapter.settings.max_calls is "+strconv.FormatInt(s.maxCalls, 10))
	}
	var err error
	switch s.family {
	case cohere:
		e.each, err = s.cohere(c)
	case titan:
		e.each, err = s.titan(c)
	default:
		err = adapter.Unsupported("embedding.model", "this adapter knows embeddings of Titan and Cohere; adapter.settings.family says which it is, if the name does not")
	}
	if err != nil {
		return adapter.Reply{}, err
	}
	if e.each, err = normal.Extend(e.each, "extra_body", s.Extra); err != nil {
		return adapter.Reply{}, err
	}
	e.Model, e.Warnings = s.model, c.Warnings
	return e.ask()
}

// cohere returns the fields of a call to a model of Cohere.
func (s *settings) cohere(c *normal.Call) (json.Value, error) {
	kind := s.inputType
	switch purpose := c.Body.Get("purpose").Text(); purpose {
	case "":
	case "query", "document":
		kind = "search_" + purpose
	case "classification", "clustering":
		kind = purpose
	default:
		if err := c.Cannot("embedding.purpose", "the model knows query, document, classification and clustering"); err != nil {
			return nil, err
		}
	}
	var w json.Writer
	w.Begin('{')
	w.Key("input_type")
	w.String(kind)
	if v := c.Body.Get("dimensions"); v.Exists() {
		if strings.Contains(s.model, "embed-english-v3") || strings.Contains(s.model, "embed-multilingual-v3") {
			if err := c.Cannot("embedding.dimensions", "the model has vectors of one length"); err != nil {
				return nil, err
			}
		} else {
			w.Key("output_dimension")
			w.Raw(v)
		}
	}
	w.End('}')
	return w.Bytes(), nil
}

// titan returns the fields of a call to a model of Titan.
func (s *settings) titan(c *normal.Call) (json.Value, error) {
	if !c.Body.Get("purpose").Empty() {
		if err := c.Cannot("embedding.purpose", "the model knows no purposes"); err != nil {
			return nil, err
		}
	}
	var w json.Writer
	w.Begin('{')
	switch v := c.Body.Get("dimensions"); {
	case !v.Exists():
	case strings.Contains(s.model, "embed-image"):
		w.Key("embeddingConfig")
		w.Begin('{')
		w.Key("outputEmbeddingLength")
		w.Raw(v)
		w.End('}')
	case strings.Contains(s.model, "embed-text-v1") || strings.Contains(s.model, "embed-g1"):
		if err := c.Cannot("embedding.dimensions", "the model has vectors of one length"); err != nil {
			return nil, err
		}
	default:
		w.Key("dimensions")
		w.Raw(v)
	}
	w.End('}')
	return w.Bytes(), nil
}

// ask makes the next call, with as many of the texts as the model takes.
func (e *embedding) ask() (adapter.Reply, error) {
	var now, later json.Writer
	now.Begin('[')
	later.Begin('[')
	e.sent = 0
	var first json.Value
	for text := range e.texts.Items() {
		if e.sent == 0 {
			first = text
		}
		if e.sent == 0 || e.batches && e.sent < most {
			now.Raw(text)
			e.sent++
		} else {
			later.Raw(text)
		}
	}
	now.End(']')
	later.End(']')
	e.texts = later.Bytes()
	var w json.Writer
	w.Begin('{')
	if e.batches {
		w.Key("texts")
		w.Raw(now.Bytes())
	} else {
		w.Key("inputText")
		w.Raw(first)
	}
	for name, v := range e.each.Fields() {
		w.Key(name)
		w.Raw(v)
	}
	w.End('}')
	return adapter.Reply{State: e.bytes(), Actions: []adapter.Action{normal.Post(e.url, w.Bytes())}}, nil
}

func (e *embedding) bytes() []byte {
	var out adapter.Encoder
	out.Text(1, e.url)
	out.Data(2, e.texts)
	out.Number(3, uint32(e.sent))
	out.Data(4, e.each)
	out.Flag(5, e.batches)
	out.Data(6, e.vectors)
	mark := out.Open(7)
	e.Encode(&out)
	out.Close(mark)
	return pack(kindEmbedding, out.Bytes())
}

// embedded takes the answer to a call, and makes the next while there are texts.
func embedded(state []byte, ev *adapter.Event, body json.Value) (adapter.Reply, error) {
	var e embedding
	d := adapter.Decoder{Rest: state}
	for d.Next() {
		switch d.Tag {
		case 1:
			e.url = d.Text()
		case 2:
			e.texts = d.Value
		case 3:
			e.sent = int64(d.Number())
		case 4:
			e.each = d.Value
		case 5:
			e.batches = d.Flag()
		case 6:
			e.vectors = d.Value
		case 7:
			e.Answer, d.Err = normal.DecodeAnswer(d.Value)
		}
	}
	if d.Err != nil {
		return adapter.Reply{}, errors.New("state: " + d.Err.Error())
	}
	if err := e.take(body); err != nil {
		return adapter.Reply{}, err
	}
	header, _ := json.Parse([]byte(normal.Header(ev.Headers, "x-amzn-bedrock-input-token-count")))
	if n, ok := normal.Count(body.Get("inputTextTokenCount"), header); ok {
		e.Usage.Known = true
		e.Usage.In += n
	}
	if !e.texts.Empty() {
		return e.ask()
	}
	var vectors []json.Value
	for v := range e.vectors.Items() {
		vectors = append(vectors, v)
	}
	return adapter.Do(adapter.Done(e.Vectors(vectors))), nil
}

// take adds the vectors of an answer: {"embedding": []}, {"embeddings": [[]]} or, by type, {"embeddings": {"float": [[]]}}.
func (e *embedding) take(body json.Value) error {
	var w json.Writer
	w.Begin('[')
	for v := range e.vectors.Items() {
		w.Raw(v)
	}
	list := body.Get("embeddings")
	if list.Kind() == json.Object {
		list = list.Get("float")
	}
	if !e.batches {
		list = append(append(json.Value("["), body.Get("embedding")...), ']')
	}
	n := int64(0)
	for v := range list.Items() {
		numbers, err := normal.Floats(v)
		if err != nil {
			return err
		}
		w.Raw(numbers)
		n++
	}
	w.End(']')
	if n != e.sent {
		return normal.Nonsense("has " + strconv.FormatInt(n, 10) + " vectors for " + strconv.FormatInt(e.sent, 10) + " texts")
	}
	e.vectors = w.Bytes()
	return nil
}
