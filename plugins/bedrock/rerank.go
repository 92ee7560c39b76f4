package bedrock

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// rerank asks the agents' runtime, which has an operation for it that is the same for all models.
func (s *settings) rerank(c *normal.Call) (adapter.Reply, error) {
	if err := c.Takes("model", "query", "documents", "top_n"); err != nil {
		return adapter.Reply{}, err
	}
	arn, err := s.arn(c.Base)
	if err != nil {
		return adapter.Reply{}, err
	}
	documents := c.Body.Get("documents")
	if documents.Empty() {
		return adapter.Reply{}, normal.Invalid("rerank.documents", "there is none")
	}
	var w json.Writer
	w.Begin('{')
	w.Key("queries")
	w.Begin('[')
	w.Begin('{')
	w.Key("type")
	w.String("TEXT")
	w.Key("textQuery")
	text(&w, c.Body.Get("query"))
	w.End('}')
	w.End(']')
	w.Key("sources")
	w.Begin('[')
	n := uint32(0)
	for d := range documents.Items() {
		n++
		w.Begin('{')
		w.Key("type")
		w.String("INLINE")
		w.Key("inlineDocumentSource")
		w.Begin('{')
		w.Key("type")
		w.String("TEXT")
		w.Key("textDocument")
		text(&w, d)
		w.End('}')
		w.End('}')
	}
	w.End(']')
	w.Key("rerankingConfiguration")
	w.Begin('{')
	w.Key("type")
	w.String("BEDROCK_RERANKING_MODEL")
	w.Key("bedrockRerankingConfiguration")
	w.Begin('{')
	if n := c.Body.Get("top_n"); n.Exists() {
		w.Key("numberOfResults")
		w.Raw(n)
	}
	w.Key("modelConfiguration")
	w.Begin('{')
	w.Key("modelArn")
	w.String(arn)
	w.End('}')
	w.End('}')
	w.End('}')
	w.End('}')
	body, err := normal.Extend(w.Bytes(), "extra_body", s.Extra)
	if err != nil {
		return adapter.Reply{}, err
	}
	var e adapter.Encoder
	e.Number(1, n)
	mark := e.Open(2)
	a := normal.Answer{Model: s.model, Warnings: c.Warnings}
	a.Encode(&e)
	e.Close(mark)
	return adapter.Reply{State: pack(kindRerank, e.Bytes()), Actions: []adapter.Action{normal.Post(c.Base+"/rerank", body)}}, nil
}

func text(w *json.Writer, v json.Value) {
	w.Begin('{')
	w.Key("text")
	w.Raw(v)
	w.End('}')
}

// arn returns the model's ARN, which names the region: that of the address, such as
// bedrock-agent-runtime.us-east-1.amazonaws.com.
func (s *settings) arn(base string) (string, error) {
	if strings.HasPrefix(s.model, "arn:") {
		return s.model, nil
	}
	_, host, _ := strings.Cut(base, "://")
	labels := strings.Split(host, ".")
	if len(labels) < 3 || !strings.HasPrefix(labels[0], "bedrock-agent-runtime") {
		return "", adapter.Unsupported("rerank.model", "the contract's api.base_url must be https://bedrock-agent-runtime.REGION.amazonaws.com, or the model an ARN")
	}
	return "arn:aws:bedrock:" + labels[1] + "::foundation-model/" + s.model, nil
}

func reranked(state []byte, body json.Value) (adapter.Reply, error) {
	var a normal.Answer
	var sent int64
	d := adapter.Decoder{Rest: state}
	for d.Next() {
		switch d.Tag {
		case 1:
			sent = int64(d.Number())
		case 2:
			a, d.Err = normal.DecodeAnswer(d.Value)
		}
	}
	if d.Err != nil {
		return adapter.Reply{}, errors.New("state: " + d.Err.Error())
	}
	results := body.Get("results")
	if results.Kind() != json.Array {
		return adapter.Reply{}, normal.Nonsense("has no results")
	}
	var ranked []normal.Rank
	for r := range results.Items() {
		index, ok := r.Get("index").Int()
		score := r.Get("relevanceScore")
		switch {
		case !ok || score.Kind() != json.Number:
			return adapter.Reply{}, normal.Nonsense("has a result without index or relevanceScore")
		case index < 0 || index >= sent:
			return adapter.Reply{}, normal.Nonsense("ranks a document that was not sent")
		}
		ranked = append(ranked, normal.Rank{Index: index, Score: score})
	}
	return adapter.Do(adapter.Done(a.Ranked(ranked))), nil
}
