package conformance

// All returns every provider that is tried, by name.
func All() []Provider {
	return []Provider{
		Anthropic(),
		AzureOpenAI(),
		Gemini(),
		GeminiVertex(),
		Groq(),
		HuggingFace(),
		LMStudio(),
		MetaLlama(),
		Mistral(),
		OpenAI(),
		Perplexity(),
		Together(),
		XAI(),
	}
}
