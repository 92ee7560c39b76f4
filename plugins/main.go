// Command plugins is the module of the shipped adapters: one WebAssembly module, because each Go module carries 1.8 MB of
// runtime and an adapter more adds some ten KB. To the host it is a third party's, like any other.
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o adapters.wasm .
package main

import (
	"github.com/smarthausgroup/caio/plugins/alephalpha"
	"github.com/smarthausgroup/caio/plugins/anthropic"
	"github.com/smarthausgroup/caio/plugins/bedrock"
	"github.com/smarthausgroup/caio/plugins/codex"
	"github.com/smarthausgroup/caio/plugins/cohere"
	"github.com/smarthausgroup/caio/plugins/cursor"
	"github.com/smarthausgroup/caio/plugins/deepgram"
	"github.com/smarthausgroup/caio/plugins/elevenlabs"
	"github.com/smarthausgroup/caio/plugins/gemini"
	"github.com/smarthausgroup/caio/plugins/githubcopilot"
	"github.com/smarthausgroup/caio/plugins/httpjson"
	"github.com/smarthausgroup/caio/plugins/huggingface"
	"github.com/smarthausgroup/caio/plugins/m365"
	"github.com/smarthausgroup/caio/plugins/midjourney"
	"github.com/smarthausgroup/caio/plugins/ollama"
	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/plugins/palm"
	"github.com/smarthausgroup/caio/plugins/replicate"
	"github.com/smarthausgroup/caio/plugins/serper"
	"github.com/smarthausgroup/caio/plugins/stability"
	"github.com/smarthausgroup/caio/plugins/tavily"
	"github.com/smarthausgroup/caio/plugins/voyage"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// The host runs a module's initialization and its exports, never main: this is the one place where an init must be.
func init() {
	adapter.Serve(
		alephalpha.Adapter{},
		anthropic.Adapter{},
		openai.New(openai.AzureOpenAI()),
		bedrock.Adapter{},
		codex.Adapter{},
		cohere.Adapter{},
		cursor.Adapter{},
		deepgram.Adapter{},
		elevenlabs.Adapter{},
		gemini.Vertex{},
		gemini.Adapter{},
		githubcopilot.Adapter{},
		openai.New(openai.Groq()),
		httpjson.Adapter{},
		huggingface.Adapter{},
		openai.New(openai.HuggingFace()),
		openai.New(openai.LMStudio()),
		m365.Adapter{},
		openai.New(openai.MetaLlama()),
		midjourney.Adapter{},
		openai.New(openai.Mistral()),
		ollama.Adapter{},
		openai.New(openai.OpenAI()),
		palm.Adapter{},
		openai.New(openai.Perplexity()),
		replicate.Adapter{},
		serper.Adapter{},
		stability.Adapter{},
		tavily.Adapter{},
		openai.New(openai.Together()),
		voyage.Adapter{},
		openai.New(openai.XAI()),
	)
}

func main() {}
