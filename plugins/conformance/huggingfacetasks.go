package conformance

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/smarthausgroup/caio/plugins/huggingface"
)

// HuggingFaceTasks is what Hugging Face's models do beside chat.
func HuggingFaceTasks() Provider {
	return Provider{
		Name: "huggingface-tasks", Corpus: "huggingface", Adapter: huggingface.Adapter{}, Contract: "huggingface-text-generation.yaml",
		Evidence: "official specification of Text Generation Inference; of other tasks recordings only",
		Only:     func(x *Exchange) bool { return x.Kind != "chat" && !strings.Contains(x.Request.URL, "/v1/") },
		Settings: func(x *Exchange) map[string]any {
			if !strings.Contains(x.Request.URL, "/models/") && !strings.Contains(x.Request.URL, "/pipeline/") {
				return nil
			}
			return map[string]any{"path": "/" + pathBelow(x.Request.URL, ".co/")}
		},
		Intent: func(x *Exchange) (map[string]any, bool, string) {
			var body struct {
				Inputs     any
				Parameters map[string]any
			}
			if err := json.Unmarshal(x.Request.Body, &body); err != nil || body.Inputs == nil {
				return nil, false, "its request is not recorded"
			}
			if vectors(x) {
				return nil, false, "there is no specification of this path"
			}
			if strings.Contains(x.Request.URL, "/generate") {
				return map[string]any{"code": map[string]any{"prompt": body.Inputs}}, x.Response.Stream != "", ""
			}
			return nil, false, "there is no specification of this path"
		},
		Hello: func(x *Exchange) map[string]any {
			switch {
			case vectors(x):
				return map[string]any{"embedding": map[string]any{"input": []string{"test"}}}
			case x.Kind == "other" && x.Response.Status < 300:
				return map[string]any{"payload": map[string]any{"inputs": "Hi, I think [MASK] is cool"}}
			}
			return map[string]any{"code": map[string]any{"prompt": "Hello"}}
		},
		Want: wantHuggingFaceTask,
	}
}

// vectors tells whether an answer is one vector, or several.
func vectors(x *Exchange) bool {
	var one []float64
	var many [][]float64
	return json.Unmarshal(x.Response.Body, &one) == nil || json.Unmarshal(x.Response.Body, &many) == nil
}

func wantHuggingFaceTask(x *Exchange) (*Want, string, error) {
	if x.Response.Status >= 300 {
		var said struct {
			Error string
			Type  string `json:"error_type"`
		}
		err := json.Unmarshal(x.Response.Body, &said)
		return &Want{Fail: true, Message: said.Error, Reason: map[string]string{"overloaded": "overloaded", "validation": "bad_request"}[said.Type]}, "", err
	}
	if vectors(x) {
		var one []float64
		var many [][]float64
		if json.Unmarshal(x.Response.Body, &one) == nil {
			many = [][]float64{one}
		} else if err := json.Unmarshal(x.Response.Body, &many); err != nil {
			return nil, "", err
		}
		return &Want{Vectors: many}, "", nil
	}
	var body any
	if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	return &Want{Other: func(result map[string]any) error {
		output, _ := result["output"].(map[string]any)
		got, want := fmt.Sprint(output["value"]), fmt.Sprint(body)
		if _, ok := body.(map[string]any); ok {
			got = fmt.Sprint(output)
		}
		if got != want {
			return fmt.Errorf("output is %s, want %s", clipped(got), clipped(want))
		}
		return nil
	}}, "", nil
}
