package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/runtime/adapter"
)

// maxRedirects is how many redirects one try follows.
const maxRedirects = 5

// A request is what a guest asked for, checked. It is sent as often as it is tried, signed anew each time, and never changed.
type request struct {
	method   string
	url      *url.URL
	hostport string
	header   http.Header // without the credential
	body     []byte
	framing  string
	sign     signer       // nil: it is not signed, or with a token
	tokens   *tokenSource // nil: it is not signed with a token
}

// idempotent tells whether doing it twice is as good as once (RFC 9110, section 9.2.2).
func (r *request) idempotent() bool {
	return r.method != http.MethodPost && r.method != http.MethodPatch
}

// prepare checks what the guest asks for and adds what only the host may know.
func (x *execution) prepare(a *adapter.Action) (*request, error) {
	r := &request{method: a.Method, body: a.Body, framing: a.Framing}
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, r.method) {
		return nil, broken(nil, "service %s: its adapter asked for method %q", x.service.id, r.method)
	}
	if !knownFraming(r.framing) {
		return nil, broken(nil, "service %s: its adapter asked for framing %q", x.service.id, r.framing)
	}
	var err error
	if r.url, r.hostport, err = parseURL(a.URL); err != nil {
		return nil, broken(err, "service %s: its adapter asked for a call that cannot be made: %v", x.service.id, err)
	}
	r.url.Fragment, r.url.RawFragment = "", ""
	if p := x.service.parameter; p != "" && r.url.Query().Has(p) {
		return nil, broken(nil, "service %s: its adapter asked for a call with parameter %s, which is the host's to set", x.service.id, p)
	}
	if err := x.mayCall(r.url, r.hostport); err != nil {
		return nil, err
	}
	if r.header, err = guestHeaders(a.Headers, x.service.signed); err != nil {
		return nil, broken(err, "service %s: its adapter asked for a call that cannot be made: %v", x.service.id, err)
	}
	if _, ok := r.header["User-Agent"]; !ok {
		r.header["User-Agent"] = []string{"caio"}
	}
	if !r.idempotent() {
		x.nameRequest(r.header)
	}
	r.sign, r.tokens, err = x.credential(r)
	return r, err
}

// nameRequest gives a request its idempotency key, if the guest gave it none. The name is written in lower case
// because net/http knows only the usual spelling, and where it sees that it sends a request again by itself, behind
// our back, on the promise that the upstream knows the header; most do not. Header names have no case on the wire.
func (x *execution) nameRequest(h http.Header) {
	key := []string{x.idempotencyKey()}
	for _, name := range []string{"X-Idempotency-Key", "Idempotency-Key"} {
		if own, ok := h[name]; ok {
			key = own
			delete(h, name)
		}
	}
	h["idempotency-key"] = key
}

// mayCall enforces the contract's list, and refuses addresses that no list can allow.
func (x *execution) mayCall(u *url.URL, hostport string) error {
	if err := x.service.allows(u, hostport); err != nil {
		return err
	}
	return x.gateway.options.allowed(x.service, u, hostport)
}

// allowed refuses addresses that are written in URLs. Dialing refuses them too, but a transport that was handed in may not, and a
// proxy is dialed in their place.
func (o *Options) allowed(s *service, u *url.URL, hostport string) error {
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil // a name
	}
	if err := o.Private.check(u.Hostname(), addr); err != nil {
		return refused(privateHint(err, u.Hostname()), "service %s: host %s: %v", s.id, hostport, err)
	}
	return nil
}

// privateHint says how an address could be allowed, "" where it cannot.
func privateHint(err error, host string) string {
	if !errors.Is(err, errPrivateAddress) {
		return ""
	}
	return "serve with --private-upstreams listed," + host + " if this service belongs to the operator's own network"
}

// redactBytes keeps secrets that an upstream sends back away from the guest. Short ones are left alone: "ollama", a usual
// word where a server wants some key and does not look at it, must not vanish from every answer.
func (x *execution) redactBytes(b []byte) []byte {
	for _, secret := range x.secrets {
		if len(secret) >= 16 && bytes.Contains(b, []byte(secret)) {
			b = bytes.ReplaceAll(b, []byte(secret), []byte(redaction))
		}
	}
	return b
}

// send makes the request, signed as it has to be. For what it returns see follow.
func (x *execution) send(ctx context.Context, r *request) (resp *http.Response, taken bool, err error) {
	if r.tokens != nil {
		return x.refresh(ctx, r)
	}
	return x.follow(ctx, r, r.sign)
}

// follow makes the request and follows redirects: each to a listed host only, signed only as long as scheme, host and port
// stay the same; sign is nil where nothing is signed. taken tells, also with an error, that a host took the request and sent us elsewhere for
// the answer (303 and its older kin): making the request again would have the work done twice.
func (x *execution) follow(ctx context.Context, r *request, sign signer) (resp *http.Response, taken bool, err error) {
	hops := 0
	method, u, hostport, header, body := r.method, r.url, r.hostport, r.header, r.body
	for {
		x.calls++
		req := newRequest(ctx, method, u, header, body)
		if sign != nil {
			req.Header = header.Clone()
			sign(req, body)
		}
		resp, err := x.gateway.options.Transport.RoundTrip(req)
		if err != nil {
			return nil, taken, err
		}
		x.status = resp.StatusCode
		location := resp.Header.Get("Location")
		if location == "" || !isRedirect(resp.StatusCode) {
			return resp, taken, nil
		}
		discard(resp) // what a redirect says beside where to go is of no use
		if hops++; hops > maxRedirects {
			return nil, taken, refused("", "service %s: host %s redirects more than %d times", x.service.id, hostport, maxRedirects)
		}
		target, err := u.Parse(location)
		if err != nil {
			return nil, taken, refused("", "service %s: host %s redirects to what is not a URL", x.service.id, hostport)
		}
		target.Fragment, target.RawFragment = "", ""
		next, err := checkURL(target)
		if err == nil {
			err = x.mayCall(target, next)
		}
		if err != nil {
			return nil, taken, badRedirect(err, x.service.id, hostport)
		}
		if target.Scheme != u.Scheme || next != hostport {
			header, sign = crossHost(header, x.service.signed), nil
			target = withoutParameter(target, x.service.parameter) // that host's own server may have copied it there
		}
		if becomesGet(resp.StatusCode, method) {
			taken = true
			method, body = http.MethodGet, nil
			header = header.Clone()
			for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Language", "idempotency-key"} {
				delete(header, name)
			}
		}
		u, hostport = target, next
	}
}

// discard reads what is left of an answer that nobody wants, within bounds, so that the connection can be used again.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, drainBytes)
	resp.Body.Close()
}

// badRedirect says that an error is about where a host redirects to.
func badRedirect(err error, service, from string) error {
	reason := strings.TrimPrefix(err.Error(), "service "+service+": ")
	out := refused("", "service %s: redirect from host %s refused: %s", service, from, reason)
	var why *Error
	if errors.As(err, &why) {
		out.Hint = why.Hint
	}
	out.cause = err
	return out
}

// newRequest builds one HTTP request. Its body can be had again (GetBody), which net/http uses when it finds that a
// pooled connection was already closed and nothing had been written.
func newRequest(ctx context.Context, method string, u *url.URL, header http.Header, body []byte) *http.Request {
	req := &http.Request{
		Method: method, URL: u, Host: u.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(body) > 0 {
		req.ContentLength = int64(len(body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Body, _ = req.GetBody()
	}
	return req.WithContext(ctx)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// becomesGet follows the Fetch standard: 303 asks for a GET, 301 and 302 are taken to after a POST.
func becomesGet(status int, method string) bool {
	switch status {
	case http.StatusSeeOther:
		return method != http.MethodGet && method != http.MethodHead
	case http.StatusMovedPermanently, http.StatusFound:
		return method == http.MethodPost
	}
	return false
}
