// Package summarize holds the example's summarizer. It is extractive: a summary is a choice of the text's own
// sentences, word for word and in their order, so it can leave something out but cannot make anything up.
//
// The choice is TextRank's (Mihalcea and Tarau, "TextRank: Bringing Order into Texts", EMNLP 2004): sentences vote for
// sentences they share words with, and votes of important sentences count for more. It knows no language, needs no
// model, and gives the same summary every time.
package summarize

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/sdk/service"
)

const (
	defaultSentences = 3
	maxSentences     = 400 // of the text: the work grows with the square of this
	damping          = 0.85
	rounds           = 30
)

// A Summarizer is a service that shortens a text.
//
//	payload   {"text": "...", "sentences": wanted, 1..400, default 3}
//	output    {"summary": the sentences, joined by spaces, "sentences": their places in the text, from 0}
//	metadata  {"sentences_read": n, "sentences_kept": n}
//
// The zero value is ready.
type Summarizer struct{ guarantees service.Guarantees }

// Initialize keeps the promises of contract.
func (s *Summarizer) Initialize(_ context.Context, contract service.Contract) error {
	s.guarantees = contract.Guarantees
	return nil
}

// Execute summarizes the payload's text.
func (s *Summarizer) Execute(ctx context.Context, request service.Request) (service.Response, error) {
	var payload struct {
		Text      string `json:"text"`
		Sentences *int   `json:"sentences"`
	}
	if err := request.DecodePayload(&payload); err != nil {
		return service.Response{}, err
	}
	wanted := defaultSentences
	if payload.Sentences != nil {
		wanted = *payload.Sentences
	}
	sentences := Sentences(payload.Text)
	switch {
	case len(sentences) == 0:
		return service.Response{}, service.Invalid("intent.payload.text is empty")
	case wanted < 1 || wanted > maxSentences:
		return service.Response{}, service.Invalid("intent.payload.sentences: %d is not between 1 and %d", wanted, maxSentences)
	case len(sentences) > maxSentences:
		return service.Response{}, service.Unprocessable("the text has %d sentences, %d are read at most", len(sentences), maxSentences)
	}
	chosen, err := choose(ctx, sentences, wanted)
	if err != nil {
		return service.Response{}, err
	}
	kept := make([]string, len(chosen))
	for i, place := range chosen {
		kept[i] = sentences[place]
	}
	return service.Response{
		Output:   map[string]any{"summary": strings.Join(kept, " "), "sentences": chosen},
		Metadata: map[string]any{"sentences_read": len(sentences), "sentences_kept": len(chosen)},
	}, nil
}

// VerifyGuarantees holds response against the contract.
func (s *Summarizer) VerifyGuarantees(_ context.Context, response service.Response) (service.Verification, error) {
	return s.guarantees.Verify(response), nil
}

// Health is always good: nothing can be missing.
func (s *Summarizer) Health(context.Context) service.Health { return service.Health{OK: true} }

// choose returns the places of the n sentences that rank highest, in the order of the text; of equals the earlier.
func choose(ctx context.Context, sentences []string, n int) ([]int, error) {
	scores, err := rank(ctx, similarities(sentences))
	if err != nil {
		return nil, err
	}
	places := make([]int, len(sentences))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return a - b
	})
	places = places[:min(n, len(places))]
	slices.Sort(places)
	return places, nil
}

// similarities returns how much each two sentences have in common: shared words by the logarithms of their lengths,
// which keeps long sentences from winning by length alone.
func similarities(sentences []string) [][]float64 {
	bags := make([]map[string]bool, len(sentences))
	for i, sentence := range sentences {
		bags[i] = map[string]bool{}
		for _, word := range words(sentence) {
			bags[i][word] = true
		}
	}
	weights := make([][]float64, len(sentences))
	for i := range weights {
		weights[i] = make([]float64, len(sentences))
	}
	for i, a := range bags {
		for j, b := range bags[:i] {
			if len(a) < 2 || len(b) < 2 {
				continue // a logarithm of one is no measure
			}
			shared := 0
			for word := range a {
				if b[word] {
					shared++
				}
			}
			w := float64(shared) / (math.Log(float64(len(a))) + math.Log(float64(len(b))))
			weights[i][j], weights[j][i] = w, w
		}
	}
	return weights
}

// rank lets the sentences vote, a fixed number of rounds, always in the same order, so that the floats come out the same.
func rank(ctx context.Context, weights [][]float64) ([]float64, error) {
	given := make([]float64, len(weights))
	for i, row := range weights {
		for _, w := range row {
			given[i] += w
		}
	}
	scores := slices.Repeat([]float64{1}, len(weights))
	for range rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next := make([]float64, len(weights))
		for i, row := range weights {
			received := 0.0
			for j, w := range row {
				if w > 0 {
					received += w / given[j] * scores[j]
				}
			}
			next[i] = 1 - damping + damping*received
		}
		scores = next
	}
	return scores, nil
}
