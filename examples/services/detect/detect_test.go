package detect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/smarthausgroup/caio/examples/services/detect"
	"github.com/smarthausgroup/caio/examples/udhr"
	"github.com/smarthausgroup/caio/sdk/service"
)

var detectors = map[string]func() *detect.Detector{"fast": detect.Fast, "accurate": detect.Accurate, "second": detect.Second}

func ask(t testing.TB, d *detect.Detector, text string) (map[string]any, error) {
	t.Helper()
	payload, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		t.Fatal(err)
	}
	response, err := d.Execute(t.Context(), service.Request{Intent: service.Intent{Payload: payload}})
	if err == nil && response.Output["confidence"] != response.Metadata["confidence"] {
		t.Errorf("output says %v, metadata %v", response.Output["confidence"], response.Metadata["confidence"])
	}
	return response.Output, err
}

func TestPlainSentencesAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"All human beings are born free and equal in dignity and rights.":      "eng",
		"Alle Menschen sind frei und gleich an Würde und Rechten geboren.":     "deu",
		"Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.":    "ell",
		"Всі люди народжуються вільними і рівними у своїй гідності та правах.": "ukr",
		"すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。":                           "jpn",
	} {
		for name, detector := range detectors {
			got, err := ask(t, detector(), text)
			if err != nil || got["language"] != want {
				t.Errorf("%s: %v %v, want %s for %q", name, got, err, want, text)
			}
		}
	}
}

func TestTheSameTextGetsTheSameAnswer(t *testing.T) {
	// Both libraries walk maps; without the rule for ties the answers to short texts would flicker.
	texts := []string{"de", "la", "no", "a", "Maria", "taxi", "123", "ß", "と中", "и"}
	for _, page := range udhr.Pages() {
		texts = append(texts, page.Text)
	}
	for name, detector := range detectors {
		d := detector()
		for _, text := range texts {
			first, err := ask(t, d, text)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if again, _ := ask(t, d, text); !maps.Equal(first, again) {
					t.Errorf("%s: %v, then %v for %q", name, first, again, text)
				}
			}
		}
	}
}

func TestWhatIsNoTextIsRefusedOrUndetermined(t *testing.T) {
	for name, detector := range detectors {
		for _, text := range []string{"", " \n"} {
			_, err := ask(t, detector(), text)
			var refused *service.Error
			if !errors.As(err, &refused) || refused.Code != service.CodeInvalidRequest {
				t.Errorf("%s: %q gave %v", name, text, err)
			}
		}
		for _, text := range []string{"123 456", "?!", "\u0000"} {
			got, err := ask(t, detector(), text)
			if err != nil || got["language"] != detect.Undetermined || got["confidence"] != 0.0 {
				t.Errorf("%s: %q gave %v %v", name, text, got, err)
			}
		}
	}
}

func TestFastReadsTheBeginningOnly(t *testing.T) {
	german := "Die Würde des Menschen ist unantastbar"
	var english string
	for _, page := range udhr.Pages() {
		if page.File == "eng" {
			english = "\n" + page.Text
		}
	}
	fast, err := ask(t, detect.Fast(), german+english)
	if err != nil || fast["language"] != "deu" {
		t.Errorf("fast: %v %v", fast, err)
	}
	accurate, err := ask(t, detect.Accurate(), german+english)
	if err != nil || accurate["language"] != "eng" {
		t.Errorf("accurate: %v %v", accurate, err)
	}
}

func FuzzAnyTextIsAnswered(f *testing.F) {
	for _, sample := range udhr.Samples() {
		if sample.Article == 1 {
			f.Add(sample.Text)
		}
	}
	f.Add("\xff\xfe")
	f.Add("a\u0301")
	f.Fuzz(func(t *testing.T, text string) {
		for name, detector := range detectors {
			got, err := ask(t, detector(), text)
			var refused *service.Error
			if err != nil && !errors.As(err, &refused) {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil && (len(fmt.Sprint(got["language"])) != 3 || got["confidence"].(float64) < 0 || got["confidence"].(float64) > 1) {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}
