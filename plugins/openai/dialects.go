package openai

// namedTool is how tool_choice names a tool where nothing else is said.
const namedTool = `{"type":"function","function":{"name":NAME}}`

// OpenAI is OpenAI's own API, and that of any server that follows it.
func OpenAI() Dialect {
	return Dialect{
		Name: "openai", Description: "OpenAI, and servers that speak its API",
		Prefix: "/v1", Paths: Paths{Chat: "/chat/completions", Responses: "/responses", Embedding: "/embeddings", Code: "/completions"},
		Speech: &Speech{
			Path: "/audio/speech", Text: "input", Voice: "voice", Format: "response_format", Default: "alloy",
			Formats: map[string]string{"audio/mpeg": "mp3", "audio/opus": "opus", "audio/ogg": "opus", "audio/aac": "aac", "audio/flac": "flac", "audio/wav": "wav", "audio/pcm": "pcm"},
		},
		Transcription: &Transcription{
			Path: "/audio/transcriptions", Words: whisperWords(), Speakers: []field{{"response_format", "diarized_json"}, {"chunking_strategy", "auto"}},
			Neither: []field{{"response_format", "json"}},
		},
		Image: &Image{
			Path: "/images/generations", Edit: "/images/edits", Size: "size", Given: `{"image_url":URL}`,
			Formats: map[string]string{"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"},
		},
		Fields: fields("chat.temperature", "chat.top_p", "chat.max_tokens", "chat.stop", "chat.seed", "chat.frequency_penalty",
			"chat.presence_penalty", "chat.tools", "chat.tool_choice", "chat.parallel_tool_calls", "chat.messages.name", "embedding.dimensions",
			"code.prompt", "code.suffix", "code.max_tokens", "image.prompt", "image.count=n", "image.quality"),
		Efforts: efforts("reasoning_effort", "none", "minimal", "low", "medium", "high"),
		Schema:  "json_schema", Strict: true, SetStrict: true, JSONObject: true, Tool: namedTool,
		Audio: asObject, PDF: asObject, AskUsage: true, Done: true,
	}
}

// AzureOpenAI is OpenAI's models at Microsoft, where each stands behind a deployment. The models of others that Azure AI Foundry
// serves are found by path_prefix "models".
func AzureOpenAI() Dialect {
	d := OpenAI()
	d.Name, d.Description = "azure-openai", "OpenAI's models, deployed at Microsoft Azure"
	d.Prefix, d.Deployment, d.APIVersion = "/openai/deployments/{model}", "/deployments/{model}", "2024-10-21"
	d.Fields["chat.max_tokens"] = "max_completion_tokens"
	d.Efforts = efforts("reasoning_effort", "low", "medium", "high")
	d.PDF = ""
	d.Transcription.Speakers = nil
	d.Image.Edit, d.Image.Formats = "", nil
	d.Cost, d.CostUnit = "/usage/cost_in_usd_ticks", 1e-10 // of Grok
	return d
}

// Groq sends the usage of a stream in x_groq, unasked.
func Groq() Dialect {
	return Dialect{
		Name: "groq", Description: "Groq: open models, fast",
		Prefix: "/openai/v1", Paths: Paths{Chat: "/chat/completions", Embedding: "/embeddings"},
		Speech: &Speech{
			Path: "/audio/speech", Text: "input", Voice: "voice", Format: "response_format",
			Formats: map[string]string{"audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/flac": "flac", "audio/wav": "wav", "audio/basic": "mulaw"},
		},
		Transcription: &Transcription{Path: "/audio/transcriptions", URL: "url", Words: whisperWords(), Neither: []field{{"response_format", "json"}}},
		Fields: fields("chat.temperature", "chat.top_p", "chat.max_tokens=max_completion_tokens", "chat.stop", "chat.seed", "chat.frequency_penalty",
			"chat.presence_penalty", "chat.tools", "chat.tool_choice", "chat.parallel_tool_calls", "chat.messages.name"),
		Efforts: efforts("reasoning_effort", "none", "low", "medium", "high"),
		// Strict schemas are for a few of its models only.
		Schema: "json_schema", Strict: true, JSONObject: true, Tool: namedTool,
		Thoughts: "reasoning", Done: true,
	}
}

// MetaLlama is Meta's own API, whose answers have a form of their own.
func MetaLlama() Dialect {
	return Dialect{
		Name: "meta-llama", Description: "Meta's Llama API",
		Prefix: "/v1", Paths: Paths{Chat: "/chat/completions"},
		Fields: fields("chat.temperature", "chat.top_p", "chat.top_k", "chat.max_tokens=max_completion_tokens", "chat.tools", "chat.tool_choice"),
		Schema: "json_schema", Tool: namedTool, BareCalls: true, SayStream: true,
	}
}

// Mistral has thoughts as parts of the content.
func Mistral() Dialect {
	return Dialect{
		Name: "mistral", Description: "Mistral",
		Prefix: "/v1", Paths: Paths{Chat: "/chat/completions", Embedding: "/embeddings", Code: "/fim/completions"},
		Speech: &Speech{
			Path: "/audio/speech", Text: "input", Voice: "voice_id", Format: "response_format", Audio: "/audio_data",
			Formats: map[string]string{"audio/mpeg": "mp3", "audio/opus": "opus", "audio/flac": "flac", "audio/wav": "wav", "audio/pcm": "pcm"},
		},
		Transcription: &Transcription{
			Path: "/audio/transcriptions", URL: "file_url", Words: []field{{"timestamp_granularities", "word"}},
			Speakers: []field{{"diarize", "true"}, {"timestamp_granularities", "segment"}},
		},
		Fields: fields("chat.temperature", "chat.top_p", "chat.max_tokens", "chat.stop", "chat.seed=random_seed", "chat.frequency_penalty",
			"chat.presence_penalty", "chat.tools", "chat.tool_choice", "chat.parallel_tool_calls", "embedding.dimensions=output_dimension",
			"code.prompt", "code.suffix", "code.max_tokens"),
		Efforts: efforts("reasoning_effort", "none", "high"),
		Schema:  "json_schema", Strict: true, SetStrict: true, JSONObject: true, Tool: namedTool, WholeTools: true,
		Audio: asString, PDF: asString, Thoughts: "content", Done: true,
	}
}

// Together is asked for no thoughts by a field of its own.
func Together() Dialect {
	d := Dialect{
		Name: "together", Description: "Together: open models",
		Prefix: "/v1", Paths: Paths{Chat: "/chat/completions", Embedding: "/embeddings", Code: "/completions", Rerank: "/rerank"},
		Speech: &Speech{
			Path: "/audio/speech", Text: "input", Voice: "voice", Format: "response_format",
			Formats: map[string]string{"audio/mpeg": "mp3", "audio/wav": "wav", "audio/pcm": "raw"},
		},
		Image: &Image{
			Path: "/images/generations", Edit: "/images/generations", Sides: [2]string{"width", "height"}, Given: "URL", First: "image_url",
			Formats: map[string]string{"image/png": "png", "image/jpeg": "jpeg"},
		},
		Fields: fields("chat.temperature", "chat.top_p", "chat.top_k", "chat.max_tokens", "chat.stop", "chat.seed", "chat.frequency_penalty",
			"chat.presence_penalty", "chat.tools", "chat.tool_choice", "chat.messages.name", "code.prompt", "code.max_tokens",
			"rerank.query", "rerank.documents", "rerank.top_n", "image.prompt", "image.count=n", "image.seed", "image.negative_prompt"),
		Efforts: efforts("reasoning_effort", "low", "medium", "high"),
		Schema:  "json_schema", Strict: true, SetStrict: true, JSONObject: true,
		Tool:         `{"index":0,"id":"","type":"function","function":{"name":NAME,"arguments":""}}`,
		CountedCalls: true, TextOnly: true, Done: true,
	}
	d.Efforts["none"] = `"reasoning":{"enabled":false}`
	return d
}

// Perplexity answers from the web; what it read goes into the result's metadata.
func Perplexity() Dialect {
	return Dialect{
		Name: "perplexity", Description: "Perplexity: answers from the web",
		Paths: Paths{Chat: "/chat/completions", Embedding: "/v1/embeddings", Search: "/search"},
		Fields: fields("chat.temperature", "chat.top_p", "chat.top_k", "chat.max_tokens", "chat.stop", "chat.frequency_penalty",
			"chat.presence_penalty", "chat.tools", "chat.tool_choice", "chat.parallel_tool_calls", "embedding.dimensions",
			"search.query", "search.max_results"),
		Efforts: efforts("reasoning_effort", "minimal", "low", "medium", "high"),
		Schema:  "json_schema", Strict: true, SetStrict: true,
		WholeTools: true, WholeMessages: true, PDF: asURL, Bytes: true,
		Cost: "/usage/cost/total_cost", CostUnit: 1, Notes: []string{"citations", "search_results"},
	}
}

// XAI counts tokens of reasoning beside those of the answer.
func XAI() Dialect {
	return Dialect{
		Name: "xai", Description: "xAI: Grok",
		Prefix: "/v1", Paths: Paths{Chat: "/chat/completions", Responses: "/responses", Embedding: "/embeddings"},
		Speech: &Speech{
			Path: "/tts", Text: "text", Voice: "voice_id", Format: "output_format.codec", Modelless: true, Always: `"language":"auto"`,
			Formats: map[string]string{"audio/mpeg": "mp3", "audio/wav": "wav", "audio/pcm": "pcm", "audio/basic": "mulaw"},
		},
		Image: &Image{Path: "/images/generations", Edit: "/images/edits", Ratio: "aspect_ratio", Given: `{"type":"image_url","url":URL}`},
		Fields: fields("chat.temperature", "chat.top_p", "chat.max_tokens", "chat.stop", "chat.seed", "chat.frequency_penalty",
			"chat.presence_penalty", "chat.tools", "chat.tool_choice", "chat.parallel_tool_calls", "chat.messages.name", "image.prompt", "image.count=n"),
		Efforts: efforts("reasoning_effort", "low", "medium", "high"),
		Schema:  "json_schema", Strict: true, SetStrict: true, JSONObject: true, Tool: namedTool,
		Thoughts: "reasoning_content", AskUsage: true, Done: true,
		Cost: "/usage/cost_in_usd_ticks", CostUnit: 1e-10,
	}
}

// LMStudio runs models on the user's machine.
func LMStudio() Dialect {
	return Dialect{
		Name: "lmstudio", Description: "LM Studio: models on one's own machine",
		Prefix: "/v1", Paths: Paths{Chat: "/chat/completions", Responses: "/responses", Embedding: "/embeddings", Code: "/completions"},
		Fields: fields("chat.temperature", "chat.top_p", "chat.top_k", "chat.max_tokens", "chat.stop", "chat.seed", "chat.frequency_penalty",
			"chat.presence_penalty", "chat.tools", "chat.tool_choice", "code.prompt", "code.max_tokens"),
		Efforts: efforts("reasoning_effort", "low", "medium", "high"),
		Schema:  "json_schema", Strict: true, SetStrict: true,
		AskUsage: true, Done: true,
	}
}

// HuggingFace is Text Generation Inference, and the router of Hugging Face before other providers, which wants schema_field
// "json_schema".
func HuggingFace() Dialect {
	return Dialect{
		Name: "huggingface", Description: "Hugging Face: Text Generation Inference, and its router",
		Prefix: "/v1", Paths: Paths{Chat: "/chat/completions", Embedding: "/embeddings", Code: "/completions"},
		Fields: fields("chat.temperature", "chat.top_p", "chat.max_tokens", "chat.stop", "chat.seed", "chat.frequency_penalty",
			"chat.presence_penalty", "chat.tools", "chat.tool_choice", "chat.messages.name",
			"code.prompt", "code.suffix", "code.max_tokens"),
		Schema: "value", Tool: namedTool, Task: "/models/{model}/pipeline/feature-extraction",
		SplitCalls: true, PromptList: true, AskUsage: true, Done: true,
	}
}

// whisperWords is how a transcript with the time of each word is asked for where Whisper writes it.
func whisperWords() []field {
	return []field{{"response_format", "verbose_json"}, {"timestamp_granularities[]", "word"}}
}

// AlephAlpha is the chat of Aleph Alpha's Pharia, which the adapter aleph-alpha asks for.
func AlephAlpha() Dialect {
	return Dialect{
		Name: "aleph-alpha", Description: "Aleph Alpha: chat",
		Paths: Paths{Chat: "/chat/completions"},
		Fields: fields("chat.temperature", "chat.top_p", "chat.top_k", "chat.max_tokens=maximum_tokens", "chat.tools", "chat.tool_choice",
			"chat.parallel_tool_calls"),
		Schema: "json_schema", Strict: true, SetStrict: true, JSONObject: true, Tool: namedTool, AskUsage: true, Done: true,
	}
}
