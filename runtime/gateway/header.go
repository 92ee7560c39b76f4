package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/runtime/adapter"
)

// hostHeader tells whether a header is the host's alone: those that frame the message, steer the connection, or decide
// how the body is encoded (the host undoes compression, the guest could not).
func hostHeader(canonical string) bool {
	switch canonical {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Te", "Expect",
		"Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Accept-Encoding":
		return true
	}
	return strings.HasPrefix(canonical, "Proxy-")
}

// guestHeaders checks what a guest wants to send. signed names the headers of the host's credential, nil for none: where
// the host signs, a guest must not, or two credentials would go out and the upstream would choose.
func guestHeaders(list []adapter.Header, signed []string) (http.Header, error) {
	out := make(http.Header, len(list)+3) // and User-Agent, Idempotency-Key, the credential
	for _, h := range list {
		if !validName(h.Name) {
			return nil, fmt.Errorf("header name %q is not a token", h.Name)
		}
		name := http.CanonicalHeaderKey(h.Name)
		switch {
		case !validValue(h.Value):
			return nil, fmt.Errorf("the value of header %s holds control characters", name)
		case hostHeader(name):
			return nil, fmt.Errorf("header %s is the host's to set", name)
		case signed != nil && (name == "Cookie" || slices.Contains(signed, name)):
			return nil, fmt.Errorf("header %s is the host's to set, because the contract names a credential", name)
		}
		out[name] = append(out[name], h.Value)
	}
	return out, nil
}

// crossHost returns what may follow a redirect to another host: how to read the body and what is wanted back, nothing
// that could identify anyone. signed is as in guestHeaders: contracts may name any header for their credential.
func crossHost(from http.Header, signed []string) http.Header {
	out := http.Header{}
	for _, name := range []string{"Accept", "Accept-Language", "Content-Type", "User-Agent"} {
		if v, ok := from[name]; ok && !slices.Contains(signed, name) {
			out[name] = v
		}
	}
	return out
}

// answerHeaders lists an answer's headers for the guest, sorted by name. Cookies stay outside: a guest keeps no session.
// net/http lets names pass that are none, with spaces in them; they are dropped.
func answerHeaders(h http.Header, redact func(string) string) []adapter.Header {
	out := make([]adapter.Header, 0, len(h))
	for name, values := range h {
		if name == "Set-Cookie" || !validName(name) {
			continue
		}
		for _, v := range values {
			out = append(out, adapter.Header{Name: name, Value: redact(v)})
		}
	}
	slices.SortStableFunc(out, func(a, b adapter.Header) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// validName tells whether s is a token of RFC 9110, section 5.6.2.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// validValue tells whether s is a field value of RFC 9110, section 5.5: no control characters but the tab.
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
