package conformance

// All returns every provider that is tried, by name.
func All() []Provider {
	return []Provider{
		Anthropic(),
		Gemini(),
		GeminiVertex(),
	}
}
