package summarize

import (
	"strings"
	"unicode"
)

// Sentences cuts text into sentences, trimmed, without empty ones. A sentence ends at a line break, at a mark such as
// 。 or ।, and at a full stop, exclamation or question mark that white space follows. It knows no abbreviations: "e.g. a"
// is two sentences.
func Sentences(text string) []string {
	var sentences []string
	start := 0
	end := func(at int) {
		if sentence := strings.TrimSpace(text[start:at]); sentence != "" {
			sentences = append(sentences, sentence)
		}
		start = at
	}
	stopped := false // the character before was a full stop or the like
	for i, r := range text {
		switch {
		case r == '\n' || stopped && unicode.IsSpace(r):
			end(i)
			stopped = false
		case strings.ContainsRune("。！？।॥", r):
			end(i + len(string(r)))
			stopped = false
		case strings.ContainsRune(".!?؟…", r):
			stopped = true
		case stopped && strings.ContainsRune(`"')]»”’`, r): // belongs to the sentence that it closes
		default:
			stopped = false
		}
	}
	end(len(text))
	return sentences
}

// unspaced are scripts whose words are not parted by spaces; each of their characters counts as a word.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Khmer, unicode.Lao, unicode.Myanmar}

// words returns the words of a sentence in lower case.
func words(sentence string) []string {
	var found []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			found = append(found, word.String())
			word.Reset()
		}
	}
	for _, r := range sentence {
		switch {
		case unicode.In(r, unspaced...):
			end()
			found = append(found, string(r))
		case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r):
			word.WriteRune(unicode.ToLower(r))
		default:
			end()
		}
	}
	end()
	return found
}
