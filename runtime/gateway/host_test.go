package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestHostsThatMayBeCalled(t *testing.T) {
	set := hostSet{}
	for _, entry := range []string{"A.test", "b.test:8080", "::1", "[::2]", "[::3]:81", "127.0.0.1"} {
		if err := set.add(entry); err != nil {
			t.Fatal(err)
		}
	}
	for raw, want := range map[string]bool{
		"https://a.test":            true,
		"https://A.TEST:443/x?y":    true,
		"http://a.test":             true,
		"https://a.test:8443":       false,
		"https://a.test.":           false,
		"https://a.test.evil.test":  false,
		"https://evil.test/a.test":  false,
		"https://evil.test?a.test":  false,
		"https://evil.test#@a.test": false,
		"https://xa.test":           false,
		"http://b.test:8080":        true,
		"http://b.test":             false,
		"https://b.test:8080":       true,
		"http://[::1]":              true,
		"http://[::1]:8080":         false,
		"http://[0:0:0:0:0:0:0:1]":  false, // the same address, written otherwise: the list is about names as written
		"http://[::2]:443":          true,
		"http://[::3]:81":           true,
		"http://127.0.0.1":          true,
		"http://127.1":              false,
		"http://2130706433":         false,
		"http://0x7f000001":         false,
	} {
		_, hostport, err := parseURL(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		} else if got := set.has(hostport); got != want {
			t.Errorf("%s (%s): %v, want %v", raw, hostport, got, want)
		}
	}
}

func TestHostEntriesThatCanMatchNothingAreRefused(t *testing.T) {
	for _, entry := range []string{"", "a b", "https://a.test", "a.test/", "*.a.test", "user@a.test", "a.test:", "a.test:http", "a.test:0", "a.test:65536", ":80", "bücher.test", "a,b"} {
		if err := (hostSet{}).add(entry); err == nil {
			t.Errorf("%q was taken", entry)
		}
	}
}

func TestAddressesThatAreNeverCalled(t *testing.T) {
	for addr, want := range map[string]bool{
		"169.254.169.254":        true,
		"169.254.0.1":            true,
		"::ffff:169.254.169.254": true,
		"64:ff9b::a9fe:a9fe":     true, // 169.254.169.254 behind NAT64
		"fe80::1":                true,
		"fe80::1%eth0":           true,
		"febf::1":                true,
		"fd00:ec2::254":          true,
		"fd20:ce::254":           true,
		"100.100.100.200":        true,
		"::ffff:100.100.100.200": true,
		"169.253.255.255":        false,
		"127.0.0.1":              false,
		"10.0.0.1":               false,
		"fd00:ec2::253":          false,
		"64:ff9b::7f00:1":        false,
		"2606:4700:4700::1111":   false,
	} {
		if got := forbidden(plain(netip.MustParseAddr(addr))); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// The dialer itself refuses, so that no name and no list leads there.
func TestTransportDoesNotDialForbiddenAddresses(t *testing.T) {
	transport := NewTransport(TransportOptions{})
	for _, target := range []string{"http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "https://[::ffff:169.254.169.254]/", "http://[fe80::1%25lo]/"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, errForbiddenAddress) {
			t.Errorf("%s: %v", target, err)
		}
	}
}

func TestPrivateAddressesAreCalledWhereAllowed(t *testing.T) {
	const no, yes = false, true
	for entries, tests := range map[string]map[string]bool{ // host, address it leads to -> called
		"": {"127.0.0.1 127.0.0.1": no, "localhost 127.0.0.1": no, "a.test 93.184.215.14": yes},
		"listed": {
			"127.0.0.1 127.0.0.1": yes, "localhost ::1": yes, "LOCALHOST 127.0.0.1": yes, "10.1.2.3 10.1.2.3": yes, "::1 ::1": yes, "::ffff:10.1.2.3 ::ffff:10.1.2.3": yes,
			"localhost 10.1.2.3": no, "a.test 127.0.0.1": no, "a.test 10.1.2.3": no, "a.test 172.31.0.1": no, "a.test 192.168.1.1": no, "a.test ::1": no, "a.test fd12::1": no,
			"a.test 100.64.0.1": no, "a.test 0.0.0.0": no, "a.test ::": no, "a.test ::ffff:127.0.0.1": no, "a.test 64:ff9b::7f00:1": no, "a.test 2002:7f00:1::": no, "a.test 255.255.255.255": no,
			"a.test 224.0.0.1": no, "a.test 198.18.0.1": no, "a.test fec0::1": no, "a.test 0.1.2.3": no, "a.test 100.128.0.1": yes, "a.test 2606:4700:4700::1111": yes, "a.test 172.32.0.1": yes,
			"169.254.169.254 169.254.169.254": no,
		},
		"none":                      {"127.0.0.1 127.0.0.1": no, "a.test 1.1.1.1": yes},
		"10.0.0.0/8,B.test,fd12::1": {"a.test 10.1.2.3": yes, "10.1.2.3 10.1.2.3": yes, "b.test 192.168.1.1": yes, "a.test 192.168.1.1": no, "127.0.0.1 127.0.0.1": no, "a.test fd12::1": yes, "b.test 169.254.169.254": no},
		"169.254.0.0/16":            {"a.test 169.254.169.254": no, "169.254.169.254 169.254.169.254": no},
	} {
		var list []string
		if entries != "" {
			list = strings.Split(entries, ",")
		}
		p, err := ParsePrivate(list)
		if err != nil {
			t.Fatal(err)
		}
		for call, want := range tests {
			host, addr, _ := strings.Cut(call, " ")
			if err := p.check(host, netip.MustParseAddr(addr)); (err == nil) != want || err != nil && !isRefusedAddress(err) {
				t.Errorf("%q: %s: %v", entries, call, err)
			}
		}
	}
	for _, bad := range [][]string{{"none", "listed"}, {"10.0.0.0/40"}, {"http://a.test"}, {""}, {"*.test"}} {
		if p, err := ParsePrivate(bad); err == nil {
			t.Errorf("%q: %v", bad, p)
		}
	}
	if err := (&Private{}).check("127.0.0.1", netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Error(err)
	}
}

// A name that resolves to this machine is refused when it is dialed: what counts is not what DNS said before.
func TestNameDoesNotLeadToAPrivateAddress(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	dial := func(p Private) error {
		transport := NewTransport(TransportOptions{Private: p})
		defer transport.CloseIdleConnections()
		// The resolver answers for every name: with the address of the server.
		transport.DialContext = p.dialer(net.Dialer{Resolver: loopbackResolver(t)})
		req, err := http.NewRequestWithContext(t.Context(), "GET", strings.Replace(server.URL, "127.0.0.1", "rebound.test", 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := dial(Private{}); !errors.Is(err, errPrivateAddress) || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Error(err)
	}
	if err := dial(Private{Hosts: []string{"rebound.test"}}); err != nil {
		t.Error(err)
	}
}

// loopbackResolver says of every name that it is this machine: it speaks to a DNS server on loopback.
func loopbackResolver(t *testing.T) *net.Resolver {
	dns, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { dns.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 512)
		for {
			n, from, err := dns.ReadFrom(b)
			if err != nil {
				return
			}
			end := 12 // the question: labels, a zero, type and class
			for end < n && b[end] != 0 {
				end += int(b[end]) + 1
			}
			question := b[12 : end+5]
			answer := append([]byte{b[0], b[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
			if b[end+2] == 1 { // of type A
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
			}
			_, _ = dns.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", dns.LocalAddr().String())
	}}
}

func TestProxyAndAuthorities(t *testing.T) {
	asked := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	t.Cleanup(proxy.Close)
	direct := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(direct.Close)
	through, name, err := ParseProxy(proxy.URL)
	if err != nil || name != "127.0.0.1" {
		t.Fatal(name, err)
	}
	get := func(o TransportOptions, target string) error {
		transport := NewTransport(o)
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(TransportOptions{Proxy: through}, "http://service.test/x"); err != nil || asked != "http://service.test/x" {
		t.Errorf("%v, the proxy was asked for %q", err, asked)
	}
	roots := x509.NewCertPool()
	if err := get(TransportOptions{Proxy: through, Roots: roots}, direct.URL); err == nil {
		t.Error("a certificate of an unknown authority was taken")
	}
	roots.AddCert(direct.Certificate())
	if err := get(TransportOptions{Proxy: through, Roots: roots}, direct.URL); err != nil { // and loopback needs no proxy
		t.Error(err)
	}
	for _, bad := range []string{"proxy.test:3128", "ftp://proxy.test", "http://", "http://u:private@[::1"} {
		if _, _, err := ParseProxy(bad); err == nil || strings.Contains(err.Error(), "private") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestErrorsOfURLsDoNotRepeatThem(t *testing.T) {
	for _, raw := range []string{"http://a.test/%zz?q=private", "http://a.test:x/?q=private", "http://[::1/?q=private", "\x7f?q=private", "ftp://u:private@a.test", "http://u:private@a.test"} {
		_, _, err := parseURL(raw)
		if err == nil || strings.Contains(err.Error(), "private") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// What is checked must be what is dialed: net/http takes the address from the same URL in its own way.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"https://a.test/x", "http://[::1]:80", "http://a.test\\@b.test", "http://a.test:080", "https://A%2etest", "http:///", "http://a.test:", "http://[fe80::1%25eth0]", "http://]", "http://a]b", "http://[::1]]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, hostport, err := parseURL(raw)
		if err != nil {
			return
		}
		if u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("%q was taken", raw)
		}
		host, port, err := net.SplitHostPort(hostport)
		if err != nil || host == "" || port == "" || hostport != strings.ToLower(hostport) {
			t.Fatalf("%q: %q", raw, hostport)
		}
		again, err := url.Parse(u.String())
		if err != nil || !strings.EqualFold(again.Host, u.Host) {
			t.Fatalf("%q reads differently when written again: %v", raw, err)
		}
		if !strings.EqualFold(u.Hostname(), host) || u.Port() != "" && u.Port() != port {
			t.Fatalf("%q: %q is not what is dialed", raw, hostport)
		}
	})
}
