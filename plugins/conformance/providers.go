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
		Codex(),
		Cohere(),
		Cursor(),
		Deepgram(),
		ElevenLabs(),
		Gemini(),
		GeminiVertex(),
		GitHubCopilot(),
		Groq(),
		HuggingFace(),
		HuggingFaceTasks(),
		LMStudio(),
		M365(),
		MetaLlama(),
		Midjourney(),
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
