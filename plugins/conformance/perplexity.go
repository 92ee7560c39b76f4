package conformance

import (
	"encoding/json"

	"github.com/smarthausgroup/caio/plugins/openai"
)

// Perplexity is Perplexity's.
func Perplexity() Provider {
	return Provider{
		Name: "perplexity", Adapter: openai.New(openai.Perplexity()), Contract: "perplexity.yaml",
		Evidence: "specification derived from the official SDK",
		Intent:   compatibleIntent, Hello: compatibleHello,
		Want: func(x *Exchange) (*Want, string, error) {
			w, skip, err := compatibleWant(x)
			if w != nil && x.Kind == "embeddings" && !w.Fail {
				err = bytesOf(x, w)
			}
			return w, skip, err
		},
	}
}

// bytesOf reads vectors of int8 in base64.
func bytesOf(x *Exchange, w *Want) error {
	var answer struct {
		Data []struct{ Embedding []byte }
	}
	if err := json.Unmarshal(x.Response.Body, &answer); err != nil {
		return err
	}
	for i, item := range answer.Data {
		w.Vectors[i] = nil
		for _, b := range item.Embedding {
			w.Vectors[i] = append(w.Vectors[i], float64(int8(b)))
		}
	}
	return nil
}
