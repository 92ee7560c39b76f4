package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// message writes a message of an event stream, with string headers given as name, value.
func message(payload string, headers ...string) string {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(append(h, byte(len(headers[i]))), headers[i]...)
		h = binary.BigEndian.AppendUint16(append(h, 7), uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	return sealed(h, payload)
}

func sealed(headers []byte, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

func event(name, payload string) string {
	return message(payload, ":event-type", name, ":content-type", "application/json", ":message-type", "event")
}

func TestMessagesOfAnyPieceSize(t *testing.T) {
	// One header of each type that is no string; the reader has to step over all of them.
	var typed []byte
	for kind, size := range map[byte]int{0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2 + 3, 8: 8, 9: 16} {
		value := make([]byte, size)
		if kind == 6 {
			value[1] = 3
		}
		typed = append(append(typed, 1, 'x', kind), value...)
	}
	typed = append(typed, "\x0d:message-type\x07\x00\x05event\x0b:event-type\x07\x00\x01t"...)
	long := strings.Repeat("long ", 40_000)
	in := event("start", `{"a":1}`) + event("empty", "") + event("long", long) + sealed(typed, "typed") +
		message(`{"message":"slow down"}`, ":message-type", "exception", ":exception-type", "throttlingException") +
		message("", ":message-type", "error", ":error-code", "InternalError", ":error-message", `it "broke"`) +
		message("payload", ":message-type", "error", ":error-code", "X", ":error-message", "header")
	want := []frame{
		{"start", `{"a":1}`}, {"empty", ""}, {"long", long}, {"t", "typed"}, {"exception/throttlingException", `{"message":"slow down"}`},
		{"exception/InternalError", `{"message":"it \"broke\""}`}, {"exception/X", "payload"},
	}
	for _, n := range []int{1, 7, 4096} {
		got, err := cut("eventstream", &pieces{strings.NewReader(in), n}, 1<<20, false)
		if !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
			t.Errorf("pieces of %d: %.300q, %v", n, got, err)
		}
	}
}

func TestMessageThatIsCutIsNeverAnEnd(t *testing.T) {
	first, second := event("a", "payload"), event("b", "")
	for n := range len(second) {
		got, err := cut("eventstream", strings.NewReader(first+second[:n]), 1<<20, true)
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if len(got) != 1 || !errors.Is(err, want) {
			t.Errorf("cut after %d bytes of the second message: %d frames, %v; want %v", n, len(got), err, want)
		}
	}
}

// Whatever single bit is damaged, the message is refused; a damaged length must not be believed first.
func TestMessageWithADamagedBitIsRefused(t *testing.T) {
	good := event("a", "payload")
	for i := range len(good) * 8 {
		bad := []byte(good)
		bad[i/8] ^= 1 << (i % 8)
		got, err := cut("eventstream", bytes.NewReader(bad), 1<<30, true)
		if len(got) != 0 || err == nil || errors.Is(err, io.EOF) {
			t.Fatalf("bit %d: %q, %v", i, got, err)
		}
	}
}

func TestMessageThatCannotBeIsRefused(t *testing.T) {
	var lying [12]byte
	binary.BigEndian.PutUint32(lying[:], 16)
	binary.BigEndian.PutUint32(lying[4:], 1)
	binary.BigEndian.PutUint32(lying[8:], crc32.ChecksumIEEE(lying[:8]))
	for name, test := range map[string]struct{ in, says string }{
		"text":              {"data: no event stream\n\n", "no event stream"},
		"over the limit":    {event("a", strings.Repeat("a", 2000)), "limit of 1000 bytes"},
		"headers do not go": {string(lying[:]), "16 bytes with 1 bytes of headers"},
		"no type":           {message("p", ":event-type", "a"), `:message-type ""`},
		"unknown type":      {message("p", ":message-type", "rumour"), `"rumour"`},
		"unknown value":     {sealed([]byte("\x01x\x0a"), ""), "cannot be read"},
		"nameless header":   {sealed([]byte("\x00\x07\x00\x00"), ""), "cannot be read"},
		"header cut":        {sealed([]byte("\x05ab"), ""), "cannot be read"},
		"value cut":         {sealed([]byte("\x01x\x07\x00\x09ab"), ""), "cannot be read"},
		"length cut":        {sealed([]byte("\x01x\x07\x00"), ""), "cannot be read"},
	} {
		if got, err := cut("eventstream", strings.NewReader(test.in), 1000, true); len(got) != 0 || err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.says)
		}
	}
}

// The messages that AWS publishes with its SDKs. They say no :message-type, so that this is all that may be wrong with them.
func TestPublishedMessages(t *testing.T) {
	for _, in := range []string{
		"000000100000000005c248eb7d98c8ff",
		"0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936",
		"0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e7b27666f6f273a27626172277d8d9c08b1",
	} {
		raw, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cut("eventstream", bytes.NewReader(raw), 1000, true); err == nil || !strings.Contains(err.Error(), ":message-type") {
			t.Errorf("%s: %v", in, err)
		}
	}
}

// TestRecordedEventStreams cuts what was recorded of Bedrock, where the recordings are at hand.
func TestRecordedEventStreams(t *testing.T) {
	for name, raw := range recordedEventStreams(t) {
		whole, err := cut("eventstream", bytes.NewReader(raw), 1<<20, true)
		if !errors.Is(err, io.EOF) || len(whole) == 0 {
			t.Errorf("%s: %d frames, %v", name, len(whole), err)
			continue
		}
		for _, n := range []int{1, 7} {
			got, err := cut("eventstream", &pieces{bytes.NewReader(raw), n}, 1<<20, true)
			if !errors.Is(err, io.EOF) || !slices.Equal(got, whole) {
				t.Errorf("%s in pieces of %d: %d frames, %v; whole %d", name, n, len(got), err, len(whole))
			}
		}
		if got, err := cut("eventstream", bytes.NewReader(raw[:len(raw)-1]), 1<<20, true); len(got) != len(whole)-1 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s without its last byte: %d frames, %v", name, len(got), err)
		}
		for _, f := range whole {
			if f.name == "" || !json.Valid([]byte(f.data)) {
				t.Errorf("%s: frame %q: %q", name, f.name, f.data)
			}
		}
	}
}

// recordedEventStreams returns the recorded bodies by name; the corpus lies beside the repository or where
// CAIO_PROVIDER_CORPUS says.
func recordedEventStreams(t *testing.T) map[string][]byte {
	corpus := os.Getenv("CAIO_PROVIDER_CORPUS")
	if corpus == "" {
		corpus = "../../../shared/providers"
	}
	files, err := filepath.Glob(filepath.Join(corpus, "bedrock", "exchanges", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var exchange struct {
			Response struct {
				Body []byte `json:"body_base64"`
			}
		}
		if err := json.Unmarshal(raw, &exchange); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(exchange.Response.Body) > 0 {
			all[filepath.Base(file)] = exchange.Response.Body
		}
	}
	if len(all) == 0 {
		t.Skip("no recordings of providers: set CAIO_PROVIDER_CORPUS to their directory")
	}
	return all
}

func FuzzEventStream(f *testing.F) {
	f.Add([]byte(event("a", "payload")+message("x", ":message-type", "exception", ":exception-type", "e")), 3)
	f.Add([]byte(event("a", "payload"))[:30], 1)
	f.Add([]byte("data: a\n\n"), 1)
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		whole, first := cut("eventstream", bytes.NewReader(in), 1<<16, true)
		got, err := cut("eventstream", &pieces{bytes.NewReader(in), 1 + (n&0xff)%17}, 1<<16, true)
		if !slices.Equal(got, whole) || err.Error() != first.Error() {
			t.Fatalf("%s: %q, %v; in pieces %q, %v", base64.StdEncoding.EncodeToString(in), whole, first, got, err)
		}
		size := 0
		for _, f := range whole {
			size += 16 + len(f.data)
		}
		if size > 4*len(in)+64 { // an error's message in a header becomes JSON, which escapes
			t.Fatalf("%d bytes became %d", len(in), size)
		}
	})
}
