package conformance

import "github.com/smarthausgroup/caio/plugins/voyage"

// Voyage is Voyage AI.
func Voyage() Provider {
	return Provider{
		Name: "voyage", Adapter: voyage.Adapter{}, Contract: "voyage.yaml", Evidence: "official specification",
		Intent: voyageIntent, Hello: voyageHello, Want: voyageWant,
	}
}

func voyageIntent(x *Exchange) (intent map[string]any, stream bool, skip string) {
	body, err := readTree(x.Request.Body)
	if err != nil {
		return nil, false, "the recorded request cannot be read"
	}
	if x.Kind == "rerank" {
		r := map[string]any{"model": body.get("model").v, "query": body.get("query").v, "documents": body.get("documents").v}
		if n := body.get("top_k"); n.there() {
			r["top_n"] = n.v
		}
		return map[string]any{"rerank": r}, false, ""
	}
	e := map[string]any{"model": body.get("model").v, "input": body.get("input").v}
	if purpose := body.get("input_type"); purpose.there() {
		e["purpose"] = purpose.v
	}
	if n := body.get("output_dimension"); n.there() {
		e["dimensions"] = n.v
	}
	return map[string]any{"embedding": e}, false, ""
}

// voyageHello asks for what an answer without a request answers.
func voyageHello(x *Exchange) map[string]any {
	body, _ := readTree(x.Response.Body)
	texts := []any{}
	for range max(1, len(body.get("data").items())) {
		texts = append(texts, "Hello")
	}
	if x.Kind == "rerank" {
		return map[string]any{"rerank": map[string]any{"model": "rerank-2.5", "query": "Hello", "documents": texts}}
	}
	return map[string]any{"embedding": map[string]any{"input": texts}}
}

func voyageWant(x *Exchange) (*Want, string, error) {
	body, err := readTree(x.Response.Body)
	if err != nil {
		return nil, "", err
	}
	if x.Response.Status >= 300 {
		return &Want{Fail: true, Reason: "model_not_found", Message: "is not supported"}, "", nil
	}
	w := &Want{Model: body.get("model").text(), Usage: &Usage{Input: body.get("usage").get("total_tokens").int()}}
	for _, v := range body.get("data").items() {
		if x.Kind == "rerank" {
			score, _ := v.get("relevance_score").v.(float64)
			w.Ranked = append(w.Ranked, Rank{int(v.get("index").int()), score})
			continue
		}
		vector, err := v.get("embedding").vector()
		if err != nil {
			return nil, "", err
		}
		w.Vectors = append(w.Vectors, vector)
	}
	return w, "", nil
}
