package udhr_test

import (
	"testing"
	"unicode/utf8"

	"github.com/smarthausgroup/caio/examples/udhr"
)

func TestEveryLanguageHasThirtySentences(t *testing.T) {
	counts := map[string]int{}
	for _, sample := range udhr.Samples() {
		counts[sample.File]++
		if n := utf8.RuneCountInString(sample.Text); n < 15 || n > 120 || !utf8.ValidString(sample.Text) {
			t.Errorf("%s article %d is %d characters long: %q", sample.File, sample.Article, n, sample.Text)
		}
		if len(sample.Language) != 3 || sample.Article != counts[sample.File] {
			t.Errorf("%+v stands out of order", sample)
		}
	}
	if len(counts) != 38 {
		t.Errorf("%d languages, want 38", len(counts))
	}
	for file, n := range counts {
		if n != 30 {
			t.Errorf("%s has %d sentences, want 30", file, n)
		}
	}
	if n := len(udhr.Pages()); n != 38 {
		t.Errorf("%d pages, want 38", n)
	}
}
