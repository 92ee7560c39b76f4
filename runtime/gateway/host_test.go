package gateway

import (
	"errors"
	"net"
	"net/http"
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
		if got := forbidden(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// The dialer itself refuses, so that no name and no list leads there.
func TestTransportDoesNotDialForbiddenAddresses(t *testing.T) {
	transport := NewTransport()
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
