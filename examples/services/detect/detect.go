// Package detect holds the example's language detectors. All three are the same small service around a library call;
// they differ in which library they ask and how much of the text they read, and that makes them fast, accurate, or a
// second opinion. `go run ./examples/measure` says how fast and how accurate.
package detect

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/abadojack/whatlanggo"
	"github.com/rylans/getlang"

	"github.com/smarthausgroup/caio/sdk/service"
)

// Undetermined is the ISO 639-3 code of a language that could not be told.
const Undetermined = "und"

// A Detector is a service that tells the language of a text.
//
//	payload   {"text": "..."}
//	output    {"language": ISO 639-3 or "und", "confidence": [0, 1]}
//	metadata  {"confidence": [0, 1], "characters_read": n}
//
// The confidence is the library's own, rounded to six digits because getlang adds up its floats in random order. A tie
// between two languages is answered with "und": the libraries would pick one of them at random.
type Detector struct {
	characters int // reads this many characters at most; 0: all
	identify   func(text string) (language string, confidence float64)
	guarantees service.Guarantees
}

// Fast returns the detector that asks whatlanggo about the first 24 characters. Its time does not depend on the length
// of the text; the price is a wrong answer where a text begins with a name or a foreign word.
func Fast() *Detector { return &Detector{characters: 24, identify: whatlang} }

// Accurate returns the detector that asks whatlanggo about the whole text.
func Accurate() *Detector { return &Detector{identify: whatlang} }

// Second returns the detector that asks getlang, which counts differently and knows 29 languages only. It is slower and
// less accurate than the others; it is worth asking where they are not sure. It reads 350 characters, because beyond
// that getlang reports a confidence of 1 whatever it sees.
func Second() *Detector { return &Detector{characters: 350, identify: getlanguage} }

// Initialize keeps the promises of contract.
func (d *Detector) Initialize(_ context.Context, contract service.Contract) error {
	if contract.Guarantees.AccuracyMin > 1 {
		return errors.New("the contract promises an accuracy over 1")
	}
	d.guarantees = contract.Guarantees
	return nil
}

// Execute tells the language of the payload's text.
func (d *Detector) Execute(_ context.Context, request service.Request) (service.Response, error) {
	var payload struct {
		Text string `json:"text"`
	}
	if err := request.DecodePayload(&payload); err != nil {
		return service.Response{}, err
	}
	if strings.TrimSpace(payload.Text) == "" {
		return service.Response{}, service.Invalid("intent.payload.text is empty")
	}
	text, n := head(payload.Text, d.characters)
	language, confidence := d.identify(text)
	confidence = math.Round(confidence*1e6) / 1e6
	return service.Response{
		Output:   map[string]any{"language": language, "confidence": confidence},
		Metadata: map[string]any{"confidence": confidence, "characters_read": n},
	}, nil
}

// VerifyGuarantees holds response against the contract.
func (d *Detector) VerifyGuarantees(_ context.Context, response service.Response) (service.Verification, error) {
	return d.guarantees.Verify(response), nil
}

// Health is always good: nothing can be missing.
func (d *Detector) Health(context.Context) service.Health { return service.Health{OK: true} }

// head returns the first n characters of text (all for n = 0) and their number, without reading further.
func head(text string, n int) (string, int) {
	count := 0
	for i := range text {
		if n > 0 && count == n {
			return text[:i], count
		}
		count++
	}
	return text, count
}

func whatlang(text string) (string, float64) {
	info := whatlanggo.Detect(text)
	// Two languages at the same distance have confidence 0, and which of them comes first is chance.
	if info.Lang < 0 || info.Confidence == 0 {
		return Undetermined, 0
	}
	return info.Lang.Iso6393(), info.Confidence
}

func getlanguage(text string) (string, float64) {
	info := getlang.FromString(text)
	language, ok := iso6393[info.LanguageCode()]
	// Two languages with the same count have at most half of the confidence each, and which comes first is chance.
	if !ok || info.Confidence() <= 0.5+1e-9 {
		return Undetermined, 0
	}
	return language, info.Confidence()
}

// iso6393 turns getlang's codes into those of whatlanggo.
var iso6393 = map[string]string{
	"ar": "arb", "bn": "ben", "de": "deu", "el": "ell", "en": "eng", "es": "spa", "fr": "fra", "gu": "guj", "he": "heb",
	"hi": "hin", "hu": "hun", "hy": "hye", "it": "ita", "ja": "jpn", "kn": "kan", "ko": "kor", "nl": "nld", "pa": "pan",
	"pl": "pol", "pt": "por", "ru": "rus", "sr": "srp", "ta": "tam", "te": "tel", "th": "tha", "tl": "tgl", "uk": "ukr",
	"vi": "vie", "zh": "cmn",
}
