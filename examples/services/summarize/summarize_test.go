package summarize_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/examples/services/summarize"
	"github.com/smarthausgroup/caio/examples/udhr"
	"github.com/smarthausgroup/caio/sdk/service"
)

func ask(t testing.TB, payload map[string]any) (service.Response, error) {
	t.Helper()
	raw, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return new(summarize.Summarizer).Execute(t.Context(), service.Request{Intent: service.Intent{Payload: raw}})
}

func TestTheSentenceThatTheOthersShareWordsWithIsKept(t *testing.T) {
	response, err := ask(t, map[string]any{"sentences": 1, "text": "It was a fine day. The harbour of the old town was full of ships. " +
		"Sailors of the old town repaired ships in the harbour. Somebody sang. Ships left the harbour in the evening."})
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Output["summary"]; got != "Sailors of the old town repaired ships in the harbour." &&
		got != "The harbour of the old town was full of ships." {
		t.Errorf("kept %q", got)
	}
}

func TestASummaryIsMadeOfTheTextsOwnSentencesInOrder(t *testing.T) {
	for _, page := range udhr.Pages() {
		first, err := ask(t, map[string]any{"text": page.Text, "sentences": 5})
		if err != nil {
			t.Fatal(err)
		}
		sentences := summarize.Sentences(page.Text)
		places := first.Output["sentences"].([]int)
		var kept []string
		for _, place := range places {
			kept = append(kept, sentences[place])
		}
		if len(places) != 5 || !slices.IsSorted(places) || strings.Join(kept, " ") != first.Output["summary"] {
			t.Errorf("%s: %v: %q", page.File, places, first.Output["summary"])
		}
		again, err := ask(t, map[string]any{"text": page.Text, "sentences": 5})
		if err != nil || again.Output["summary"] != first.Output["summary"] {
			t.Errorf("%s: another summary the second time: %v", page.File, err)
		}
	}
}

func TestSentencesEndWhereTheirWritersEndThem(t *testing.T) {
	for text, want := range map[string][]string{
		"One. Two! Three? Four":       {"One.", "Two!", "Three?", "Four"},
		"Version 1.5 is out.\nGet it": {"Version 1.5 is out.", "Get it"},
		`He said "no." Then he left.`: {`He said "no."`, "Then he left."},
		"人人有权享有生命。人人平等。":              {"人人有权享有生命。", "人人平等。"},
		"सभी मनुष्य समान हैं। उन्हें बुद्धि है।": {"सभी मनुष्य समान हैं।", "उन्हें बुद्धि है।"},
		" \n ":          nil,
		"Wait... what?": {"Wait...", "what?"},
	} {
		if got := summarize.Sentences(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestTextsThatCannotBeSummarizedAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		payload map[string]any
		code    string
	}{
		"empty":               {map[string]any{"text": " "}, service.CodeInvalidRequest},
		"no sentences wanted": {map[string]any{"text": "One.", "sentences": 0}, service.CodeInvalidRequest},
		"too many sentences":  {map[string]any{"text": strings.Repeat("One. ", 401)}, service.CodeUnprocessable},
	} {
		_, err := ask(t, test.payload)
		var refused *service.Error
		if !errors.As(err, &refused) || refused.Code != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
}

func FuzzAnyTextIsSummarized(f *testing.F) {
	f.Add("One. Two.", 1)
	f.Add("\xff. \xfe.", 3)
	f.Add("。。。", 400)
	f.Fuzz(func(t *testing.T, text string, n int) {
		response, err := ask(t, map[string]any{"text": text, "sentences": n})
		var refused *service.Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		if err == nil && response.Output["summary"] == "" {
			t.Errorf("an empty summary of %q", text)
		}
	})
}
