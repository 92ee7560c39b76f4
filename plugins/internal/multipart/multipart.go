// Package multipart writes forms as multipart/form-data (RFC 7578), which is how providers take files. The standard
// library's writer draws its boundary at random and brings MIME headers, readers and a file system along; an adapter must
// be pure and small. Here the boundary follows from the content: the same form is the same bytes.
//
//	var w multipart.Writer
//	w.Field("model_id", "scribe_v1")
//	w.File("file", "audio.wav", "audio/wav", audio)
//	body, contentType := w.Form()
package multipart

import (
	"bytes"
	"hash/fnv"
	"strconv"
	"strings"
)

// Writer collects a form; the zero value is ready.
type Writer struct{ parts []part }

type part struct {
	head string // the lines between a boundary and the content
	data []byte
}

// Field adds a field of text.
func (w *Writer) Field(name, value string) {
	w.parts = append(w.parts, part{`Content-Disposition: form-data; name="` + quote(name) + "\"\r\n\r\n", []byte(value)})
}

// File adds a file; data is not copied before Form. An empty media type says application/octet-stream. An empty filename is
// left out, and most servers then take the part for a field.
func (w *Writer) File(name, filename, mediaType string, data []byte) {
	head := `Content-Disposition: form-data; name="` + quote(name) + `"`
	if filename != "" {
		head += `; filename="` + quote(filename) + `"`
	}
	if mediaType == "" {
		mediaType = "application/octet-stream"
	}
	w.parts = append(w.parts, part{head + "\r\nContent-Type: " + line.Replace(mediaType) + "\r\n\r\n", data})
}

// Form returns the body and the header Content-Type that goes with it.
func (w *Writer) Form() (body []byte, contentType string) {
	boundary := w.boundary()
	size := len(boundary) + 8
	for _, p := range w.parts {
		size += len(boundary) + len(p.head) + len(p.data) + 6
	}
	body = make([]byte, 0, size)
	for _, p := range w.parts {
		body = append(append(append(body, "--"...), boundary...), "\r\n"...)
		body = append(append(append(body, p.head...), p.data...), "\r\n"...)
	}
	body = append(append(append(body, "--"...), boundary...), "--\r\n"...)
	return body, "multipart/form-data; boundary=" + boundary
}

func (w *Writer) boundary() string {
	h := fnv.New64a()
	for _, p := range w.parts {
		h.Write([]byte(p.head))
		h.Write(p.data)
	}
	return w.free(h.Sum64())
}

// free returns the first boundary from n on that stands in no part. Whoever knows this code can look for a content that
// holds its own boundary, and so end a part before its time.
func (w *Writer) free(n uint64) string {
	for {
		boundary := "caio-" + strconv.FormatUint(n, 16)
		if !w.holds([]byte(boundary)) {
			return boundary
		}
		n++
	}
}

func (w *Writer) holds(boundary []byte) bool {
	for _, p := range w.parts {
		if bytes.Contains(p.data, boundary) || strings.Contains(p.head, string(boundary)) {
			return true
		}
	}
	return false
}

// What ends a quoted name or a line is escaped as browsers do it (the HTML standard, "multipart/form-data encoding").
var (
	quoted = strings.NewReplacer("\r", "%0D", "\n", "%0A", `"`, "%22")
	line   = strings.NewReplacer("\r", "", "\n", "")
)

func quote(s string) string { return quoted.Replace(s) }
