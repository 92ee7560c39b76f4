package conformance

// All returns every provider that is tried, by name.
func All() []Provider {
	return []Provider{
		AlephAlpha(),
		Anthropic(),
		AzureOpenAI(),
		Bedrock(),
		BedrockMantle(),
		BedrockRerank(),
		Cohere(),
		Deepgram(),
		ElevenLabs(),
		Gemini(),
		GeminiVertex(),
		Groq(),
		HuggingFace(),
		HuggingFaceTasks(),
		LMStudio(),
		MetaLlama(),
		Mistral(),
		Ollama(),
		OllamaV1(),
		OpenAI(),
		Perplexity(),
		Replicate(),
		Serper(),
		Stability(),
		Tavily(),
		Together(),
		XAI(),
	}
}
