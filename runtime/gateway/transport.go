package gateway

import (
	"net"
	"net/http"
	"time"
)

// NewTransport returns the transport that a Gateway uses when it is given none: it pools connections generously, since
// a router speaks to few hosts very often, speaks HTTP/2 where the upstream does, uses no proxy, and refuses to dial
// link-local and cloud metadata addresses whatever a name resolves to. A caller may change it before it is used, to
// trust another authority (TLSClientConfig) or to go through a proxy (Proxy); a proxy resolves names itself, so that
// the refusal then holds for its own address only. Whoever replaces DialContext gives the refusal up.
func NewTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: guard}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true, // a custom dialer would turn it off
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    256, // the default of 2 closes nearly every connection under load
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		// A dead HTTP/2 connection takes all its streams with it; a ping finds out in time.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}
