package cohere

import (
	"strconv"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// embed writes a request for vectors, and returns the number of texts.
func embed(c *normal.Call, w *json.Writer, first bool, inputType string) (inputs uint32, err error) {
	for name, v := range c.Body.Fields() {
		why := ""
		switch name {
		case "model":
		case "input":
			for range v.Items() {
				inputs++
			}
			w.Key("texts")
			w.Raw(v)
		case "dimensions":
			if first && v.Exists() {
				why = "the API's first version has no such parameter"
			} else if v.Exists() {
				w.Key("output_dimension")
				w.Raw(v)
			}
		case "purpose":
			switch purpose := v.Text(); purpose {
			case "":
			case "query", "document":
				inputType = "search_" + purpose
			case "classification", "clustering":
				inputType = purpose
			default:
				why = "the API makes vectors for queries, documents, classification and clustering"
			}
		default:
			if !v.Empty() {
				why = "the API has no such parameter"
			}
		}
		if why != "" {
			if err := c.Cannot("embedding."+name, why); err != nil {
				return 0, err
			}
		}
	}
	if inputs == 0 {
		return 0, normal.Invalid("embedding.input", "there is no text")
	}
	w.Key("input_type")
	w.String(inputType)
	w.Key("embedding_types")
	w.Raw(json.Value(`["float"]`))
	return inputs, nil
}

// rerank writes a request for an order, and returns the number of documents.
func rerank(c *normal.Call, w *json.Writer) (inputs uint32, err error) {
	for name, v := range c.Body.Fields() {
		switch name {
		case "model":
		case "documents":
			for range v.Items() {
				inputs++
			}
			w.Key(name)
			w.Raw(v)
		case "query", "top_n":
			if v.Exists() {
				w.Key(name)
				w.Raw(v)
			}
		default:
			if v.Empty() {
				continue
			}
			if err := c.Cannot("rerank."+name, "the API has no such parameter"); err != nil {
				return 0, err
			}
		}
	}
	if inputs == 0 {
		return 0, normal.Invalid("rerank.documents", "there is none")
	}
	return inputs, nil
}

// vectors reads vectors by their type, or as the first version gives them: a plain list.
func (s *state) vectors(body json.Value) (adapter.Reply, error) {
	list := body.Get("embeddings")
	if list.Kind() == json.Object {
		if list = body.Pointer("/embeddings/float"); !list.Exists() {
			list = body.Pointer("/embeddings/base64")
		}
	}
	var vectors []json.Value
	for v := range list.Items() {
		vector, err := normal.Floats(v)
		if err != nil {
			return adapter.Reply{}, err
		}
		vectors = append(vectors, vector)
	}
	if len(vectors) != int(s.inputs) {
		return adapter.Reply{}, normal.Nonsense("has " + strconv.Itoa(len(vectors)) + " vectors for " + strconv.Itoa(int(s.inputs)) + " texts")
	}
	s.answer.ID = body.Get("id").Text()
	s.count(body.Get("meta"))
	return adapter.Do(adapter.Done(s.answer.Vectors(vectors))), nil
}

// ranked reads an order.
func (s *state) ranked(body json.Value) (adapter.Reply, error) {
	if body.Get("results").Kind() != json.Array {
		return adapter.Reply{}, normal.Nonsense("has no results")
	}
	var ranked []normal.Rank
	for v := range body.Get("results").Items() {
		index, ok := v.Get("index").Int()
		score := v.Get("relevance_score")
		if !ok || index < 0 || index >= int64(s.inputs) || score.Kind() != json.Number {
			return adapter.Reply{}, normal.Nonsense("has a result without a score, or for a document that was not sent")
		}
		ranked = append(ranked, normal.Rank{Index: index, Score: score})
	}
	s.answer.ID = body.Get("id").Text()
	s.count(body.Get("meta"))
	return adapter.Do(adapter.Done(s.answer.Ranked(ranked))), nil
}
