package multipart_test

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	stdmultipart "mime/multipart"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/multipart"
)

func Example() {
	var w multipart.Writer
	w.Field("model_id", "scribe_v1")
	w.File("file", "audio.wav", "audio/wav", []byte("RIFF"))
	body, contentType := w.Form()
	fmt.Println(contentType)
	fmt.Println(strings.ReplaceAll(string(body), "\r\n", "\n"))
	// Output:
	// multipart/form-data; boundary=caio-42dbc79f660e1b08
	// --caio-42dbc79f660e1b08
	// Content-Disposition: form-data; name="model_id"
	//
	// scribe_v1
	// --caio-42dbc79f660e1b08
	// Content-Disposition: form-data; name="file"; filename="audio.wav"
	// Content-Type: audio/wav
	//
	// RIFF
	// --caio-42dbc79f660e1b08--
}

// TestTheStandardLibraryReadsIt holds the writer against a reader that it does not share a line with.
func TestTheStandardLibraryReadsIt(t *testing.T) {
	var w multipart.Writer
	w.Field("empty", "")
	w.Field(`a "name"`, "line\r\nline\r\n")
	w.File("file", "ton ä.wav", "audio/wav", []byte("\x00\xff--\r\n--"))
	w.File("none", "x", "", nil)
	body, contentType := w.Form()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	r := stdmultipart.NewReader(bytes.NewReader(body), params["boundary"])
	for _, want := range []string{
		`"empty" "" "" ""`, `"a %22name%22" "" "" "line\r\nline\r\n"`,
		`"file" "ton ä.wav" "audio/wav" "\x00\xff--\r\n--"`, `"none" "x" "application/octet-stream" ""`,
	} {
		p, err := r.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(p)
		if got := fmt.Sprintf("%q %q %q %q", p.FormName(), p.FileName(), p.Header.Get("Content-Type"), data); err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("the form does not end: %v", err)
	}
}

func TestTheSameFormIsTheSameBytes(t *testing.T) {
	form := func(value string) string {
		var w multipart.Writer
		w.Field("a", value)
		body, contentType := w.Form()
		return contentType + string(body)
	}
	if first, second := form("x"), form("x"); first != second {
		t.Error("two forms of one content differ")
	}
	if form("x") == form("y") {
		t.Error("two contents make one form")
	}
}

func TestAMediaTypeCannotAddAHeader(t *testing.T) {
	var w multipart.Writer
	w.File("a", "b\r\nX-Evil: 1", "audio/wav\r\nX-Evil: 1", []byte("x"))
	body, _ := w.Form()
	if bytes.Contains(body, []byte("\nX-Evil")) {
		t.Errorf("%q", body)
	}
}
