package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

type frame struct{ name, data string }

// pieces gives r's bytes n at a time.
type pieces struct {
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(p.n, len(b))]) }

// cut reads all frames.
func cut(framing string, r io.Reader, limit int, proven bool) ([]frame, error) {
	f := newFramer(framing, r, limit, proven)
	var all []frame
	for {
		name, data, err := f.next()
		if err != nil {
			return all, err
		}
		all = append(all, frame{name, string(data)})
	}
}

func TestFramesOfAnyPieceSize(t *testing.T) {
	for name, test := range map[string]struct {
		framing, in string
		want        []frame
	}{
		"one event":                      {"sse", "data: a\n\n", []frame{{"", "a"}}},
		"events":                         {"sse", "data: a\n\ndata: b\n\n", []frame{{"", "a"}, {"", "b"}}},
		"CRLF":                           {"sse", "data: a\r\n\r\ndata: b\r\n\r\n", []frame{{"", "a"}, {"", "b"}}},
		"CR":                             {"sse", "data: a\r\rdata: b\r\r", []frame{{"", "a"}, {"", "b"}}},
		"mixed line ends":                {"sse", "data: a\r\ndata: b\rdata: c\n\r\n", []frame{{"", "a\nb\nc"}}},
		"LF CR is two ends":              {"sse", "data: a\n\rdata: b\n\n", []frame{{"", "a"}, {"", "b"}}},
		"several data lines":             {"sse", "data: a\ndata:\ndata: b\n\n", []frame{{"", "a\n\nb"}}},
		"empty data":                     {"sse", "data\n\ndata:\n\n", []frame{{"", ""}, {"", ""}}},
		"one space only is dropped":      {"sse", "data:  a\n\ndata:\ta\n\n", []frame{{"", " a"}, {"", "\ta"}}},
		"colons in the value":            {"sse", "data: {\"a\": 1}\n\n", []frame{{"", `{"a": 1}`}}},
		"name":                           {"sse", "event: delta\ndata: a\n\ndata: b\n\n", []frame{{"delta", "a"}, {"", "b"}}},
		"name behind the data":           {"sse", "data: a\nevent: x\n\n", []frame{{"x", "a"}}},
		"name without data is forgotten": {"sse", "event: x\n\ndata: a\n\n", []frame{{"", "a"}}},
		"comments":                       {"sse", ": hello\n\n:\ndata: a\n: x\n\n", []frame{{"", "a"}}},
		"id, retry, unknown fields":      {"sse", "id: 1\nretry: 5\nfoo: x\nDATA: no\ndata: a\n\n", []frame{{"", "a"}}},
		"byte order mark":                {"sse", "\xef\xbb\xbfdata: a\n\n", []frame{{"", "a"}}},
		"only one byte order mark":       {"sse", "\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", []frame{{"", "b"}}},
		"mark in the middle":             {"sse", "data: a\n\n\xef\xbb\xbfdata: b\n\n", []frame{{"", "a"}}},
		"no final blank line":            {"sse", "data: a\n\ndata: b\n", []frame{{"", "a"}}},
		"no final line end":              {"sse", "data: a\n\ndata: b", []frame{{"", "a"}}},
		"bytes that are not UTF-8":       {"sse", "data: \xff\n\n", []frame{{"", "\xff"}}},
		"nothing":                        {"sse", "", nil},
		"blank lines":                    {"sse", "\n\r\n\r", nil},
		"lines":                          {"ndjson", "{\"a\":1}\n{\"b\":2}\n", []frame{{"", `{"a":1}`}, {"", `{"b":2}`}}},
		"lines with CRLF":                {"ndjson", "1\r\n2\r\n", []frame{{"", "1"}, {"", "2"}}},
		"CR is white space":              {"ndjson", "[1,\r2]\n", []frame{{"", "[1,\r2]"}}},
		"blank lines between":            {"ndjson", "\n1\n \t\n\r\n2\n", []frame{{"", "1"}, {"", "2"}}},
		"last line without end":          {"ndjson", "1\n2", []frame{{"", "1"}, {"", "2"}}},
		"nothing in lines":               {"ndjson", "", nil},
		"no bytes":                       {"bytes", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 7, 4096} {
				for how, r := range map[string]io.Reader{
					"end alone":         &pieces{strings.NewReader(test.in), n},
					"end with the rest": iotest.DataErrReader(&pieces{strings.NewReader(test.in), n}),
				} {
					got, err := cut(test.framing, r, 1<<20, true)
					if !errors.Is(err, io.EOF) || !slices.Equal(got, test.want) {
						t.Errorf("pieces of %d, %s: %q, %v; want %q", n, how, got, err, test.want)
					}
				}
			}
		})
	}
}

// An event is complete with the CR of its blank line; a reader that waited for a possible LF would hold it back for as
// long as the upstream thinks.
func TestEventIsHandedOutAtItsLastByte(t *testing.T) {
	for _, event := range []string{"data: a\n\n", "data: a\r\r", "data: a\r\n\r"} {
		r, w := io.Pipe()
		go w.Write([]byte(event)) // and then nothing more comes
		name, data, err := newFramer("sse", r, 1<<20, true).next()
		if err != nil || name != "" || string(data) != "a" {
			t.Errorf("%q: %q, %v", event, data, err)
		}
		r.Close()
	}
}

func TestBrokenBodyIsNeverAnEnd(t *testing.T) {
	broken := errors.New("connection reset")
	for _, framing := range []string{"sse", "ndjson", "eventstream", "bytes"} {
		for _, in := range []string{"", "data: a", "data: a\n", "data: a\n\n", "{}\n", "{}"} {
			got, err := cut(framing, io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), 1<<20, true)
			if !errors.Is(err, broken) {
				t.Errorf("%s %q: %q, %v", framing, in, got, err)
			}
		}
	}
}

// Where only the closing of the connection ends a body, a half frame is the one sign of a cut.
func TestHalfFrameBeforeAClosedConnectionIsBroken(t *testing.T) {
	for in, want := range map[string]error{
		"sse|data: a\n\n":             io.EOF,
		"sse|data: a\n\n: keep alive": io.ErrUnexpectedEOF,
		"sse|data: a\n\ndata":         io.ErrUnexpectedEOF,
		"sse|data: a\n":               io.ErrUnexpectedEOF,
		"sse|":                        io.EOF,
		"ndjson|{}\n":                 io.EOF,
		"ndjson|{}":                   io.EOF,
		"ndjson|{}\n{\"a\":":          io.ErrUnexpectedEOF,
	} {
		framing, body, _ := strings.Cut(in, "|")
		if got, err := cut(framing, strings.NewReader(body), 1<<20, false); !errors.Is(err, want) {
			t.Errorf("%q: %q, %v; want %v", in, got, err, want)
		}
	}
}

func TestFrameOverTheLimitIsRefusedByName(t *testing.T) {
	for _, in := range []string{
		"sse|data: " + strings.Repeat("a", 200),
		"sse|" + strings.Repeat("data: aaaaaaaa\n", 20),
		"ndjson|" + strings.Repeat("a", 200),
	} {
		framing, body, _ := strings.Cut(in, "|")
		for _, n := range []int{1, 7, 4096} {
			_, err := cut(framing, &pieces{strings.NewReader(body), n}, 100, true)
			var large *tooLarge
			if !errors.As(err, &large) || large.limit != 100 || !strings.Contains(err.Error(), "100 bytes") {
				t.Errorf("%.20q in pieces of %d: %v", body, n, err)
			}
		}
	}
}

func TestReaderThatBringsNothingIsGivenUp(t *testing.T) {
	for _, framing := range []string{"sse", "ndjson", "eventstream", "bytes"} {
		if _, err := cut(framing, readNothing{}, 100, true); !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("%s: %v", framing, err)
		}
	}
}

// Bytes are handed on as they come, in pieces of at most 32 KiB, and each piece is the caller's.
func TestBytesComeInPieces(t *testing.T) {
	in := strings.Repeat("abcdefg", 10_000)
	for _, n := range []int{7, 1 << 20} {
		for _, r := range []io.Reader{&pieces{strings.NewReader(in), n}, iotest.DataErrReader(&pieces{strings.NewReader(in), n})} {
			got, err := cut("bytes", r, 1<<20, true)
			all := ""
			for _, f := range got {
				if all += f.data; len(f.data) > min(n, 32<<10) || f.name != "" {
					t.Errorf("a piece of %d bytes named %q", len(f.data), f.name)
				}
			}
			if !errors.Is(err, io.EOF) || all != in {
				t.Errorf("pieces of %d: %d bytes of %d, %v", n, len(all), len(in), err)
			}
		}
	}
}

type readNothing struct{}

func (readNothing) Read([]byte) (int, error) { return 0, nil }

// reference cuts a whole SSE body by the letter of the standard: normalize line ends, split, interpret.
func reference(in []byte) []frame {
	s := strings.TrimPrefix(string(in), "\xef\xbb\xbf")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(s, "\n")
	var all []frame
	var name, data string
	for _, line := range lines[:len(lines)-1] { // what follows the last line end is no line
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != "" {
				all = append(all, frame{name, strings.TrimSuffix(data, "\n")})
			}
			name, data = "", ""
		case field == "event":
			name = value
		case field == "data":
			data += value + "\n"
		}
	}
	return all
}

func FuzzSSE(f *testing.F) {
	for _, seed := range []string{"data: a\n\n", "\xef\xbb\xbfdata: a\r\n\r\n", "event: x\rdata: b\r\r", ": c\ndata\n\nid: 1\n\n", "data: a\ndata: b\n\ndata"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		want := reference(in)
		for _, r := range []io.Reader{bytes.NewReader(in), &pieces{bytes.NewReader(in), 1 + (n&0xff)%17}} {
			got, err := cut("sse", r, len(in)+1, true)
			if !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
				t.Fatalf("%q: %q, %v; want %q", in, got, err, want)
			}
		}
	})
}

func FuzzNDJSON(f *testing.F) {
	for _, seed := range []string{"1\n2\n", "{}\r\n\n[]", "\xff\n \n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		var want []frame
		for _, line := range bytes.Split(in, []byte("\n")) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				want = append(want, frame{"", string(line)})
			}
		}
		for _, r := range []io.Reader{bytes.NewReader(in), &pieces{bytes.NewReader(in), 1 + (n&0xff)%17}} {
			got, err := cut("ndjson", r, len(in)+1, true)
			if !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
				t.Fatalf("%q: %q, %v; want %q", in, got, err, want)
			}
		}
	})
}

func BenchmarkSSE(b *testing.B) {
	var in bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&in, "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token%d\"},\"finish_reason\":null}]}\n\n", i)
	}
	b.SetBytes(int64(in.Len()))
	b.ReportAllocs()
	for b.Loop() {
		got, err := cut("sse", bytes.NewReader(in.Bytes()), 1<<20, true)
		if len(got) != 1000 || !errors.Is(err, io.EOF) {
			b.Fatal(len(got), err)
		}
	}
}
