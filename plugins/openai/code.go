package openai

import (
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// code asks for code: what stands between prompt and suffix, or after the prompt.
func (r *request) code() (adapter.Reply, error) {
	if err := r.begin(); err != nil {
		return adapter.Reply{}, err
	}
	for name, v := range r.Body.Fields() {
		switch name {
		case "model":
			continue
		case "prompt":
			if r.d.PromptList {
				v = json.Value("[" + string(v) + "]")
			}
		}
		if err := r.plain("code."+name, v); err != nil {
			return adapter.Reply{}, err
		}
	}
	return r.postStreamed(r.d.Paths.Code)
}
