// Package udhr holds the text set on which the example services are measured: 30 sentences in each of 38 languages, cut
// from the Universal Declaration of Human Rights. SOURCE.md says where they come from; extract.go is how they were cut.
package udhr

import (
	"embed"
	"strings"
)

//go:embed *.txt
var texts embed.FS

// A Sample is one sentence.
type Sample struct {
	// Language is its ISO 639-3 code.
	Language string
	// File it stands in: the language, and the script where a language has two, such as "srp-Latn".
	File string
	// Article of the declaration, 1..30; it is also the line in the file.
	Article int
	// Text is the sentence, at most 120 characters.
	Text string
}

// Samples returns every sentence, sorted by file and article. The slice is the caller's.
func Samples() []Sample {
	entries, err := texts.ReadDir(".")
	if err != nil {
		panic(err) // the files are part of the program
	}
	var samples []Sample
	for _, entry := range entries {
		content, err := texts.ReadFile(entry.Name())
		if err != nil {
			panic(err)
		}
		file := strings.TrimSuffix(entry.Name(), ".txt")
		language, _, _ := strings.Cut(file, "-")
		for i, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
			samples = append(samples, Sample{Language: language, File: file, Article: i + 1, Text: line})
		}
	}
	return samples
}

// Pages returns one long text for each file, its 30 sentences one a line, sorted by file. Article is 0.
func Pages() []Sample {
	var pages []Sample
	for _, sample := range Samples() {
		if len(pages) == 0 || pages[len(pages)-1].File != sample.File {
			pages = append(pages, Sample{Language: sample.Language, File: sample.File, Text: sample.Text})
			continue
		}
		page := &pages[len(pages)-1]
		page.Text += "\n" + sample.Text
	}
	return pages
}
