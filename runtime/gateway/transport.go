package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// TransportOptions say how services are reached. The zero value reaches them directly.
type TransportOptions struct {
	// Private says which private addresses are dialed.
	Private Private
	// Roots are the authorities that upstreams' certificates are verified with. nil: the system's.
	Roots *x509.CertPool
	// Proxy returns the proxy for a request, as in http.Transport. nil: none is used. A proxy resolves names itself, so that
	// private addresses behind names are its business then; its own address has to be one that Private allows.
	Proxy func(*http.Request) (*url.URL, error)
}

// NewTransport returns the transport that a Gateway uses when it is given none: it pools connections generously, since
// a router speaks to few hosts very often, speaks HTTP/2 where the upstream does, and refuses to dial link-local and cloud
// metadata addresses, and private ones that are not allowed, whatever name led there. Whoever replaces its DialContext
// gives the refusal up.
func NewTransport(o TransportOptions) *http.Transport {
	t := &http.Transport{
		Proxy:                  o.Proxy,
		DialContext:            o.Private.dialer(net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}),
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
	if o.Roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: o.Roots}
	}
	return t
}

// ParseProxy reads a proxy as operators write it: "env" for what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say, or the URL of one
// (http, https or socks5) for everything but this machine's own addresses. Empty: none. The name of the one proxy is
// returned too, empty with "env", so that it can be allowed among Private.Hosts.
func ParseProxy(raw string) (func(*http.Request) (*url.URL, error), string, error) {
	switch raw {
	case "":
		return nil, "", nil
	case "env":
		return http.ProxyFromEnvironment, "", nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
		return nil, "", fmt.Errorf(`a proxy is "env", or a URL such as http://proxy.example.com:3128`) // it may hold a password
	}
	return func(r *http.Request) (*url.URL, error) {
		if isLoopback(r.URL.Hostname()) {
			return nil, nil
		}
		return u, nil
	}, u.Hostname(), nil
}
