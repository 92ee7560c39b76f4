package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A hostSet holds "host:port" in lower case, IPv6 addresses in brackets.
type hostSet map[string]struct{}

// add puts in an entry as people write it: "host:port", or "host" for the ports that https and http use by default.
// It is not any port, because another port of the same machine is another service.
func (s hostSet) add(entry string) error {
	entry = strings.ToLower(entry)
	if err := checkHostEntry(entry); err != nil {
		return err
	}
	if host, port, err := net.SplitHostPort(entry); err == nil {
		s[net.JoinHostPort(host, port)] = struct{}{}
		return nil
	}
	host := strings.Trim(entry, "[]")
	s[net.JoinHostPort(host, "443")] = struct{}{}
	s[net.JoinHostPort(host, "80")] = struct{}{}
	return nil
}

func (s hostSet) has(hostport string) bool {
	_, ok := s[hostport]
	return ok
}

// sorted returns all of them in order.
func (s hostSet) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// checkHostEntry refuses entries that can never match a URL, so that a typing error is seen early.
func checkHostEntry(entry string) error {
	host := entry
	if h, port, err := net.SplitHostPort(entry); err == nil {
		host = h
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("host %q: the port is not a number from 1 to 65535", entry)
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok { // an IPv6 address without a port
		host, _ = strings.CutSuffix(inner, "]")
	}
	if host == "" || !isHost(host) {
		return fmt.Errorf(`host %q is not of the form "host" or "host:port"`, entry)
	}
	return nil
}

// parseURL reads an absolute http or https URL and returns it with its "host:port" in lower case. User information is
// refused because it is a credential that the host does not control; names that are not ASCII, because what looks
// like a listed host might not be it.
func parseURL(raw string) (*url.URL, string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error repeats the whole URL, whose query may be part of a payload.
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return nil, "", fmt.Errorf("not a URL: %w", err)
	}
	hostport, err := checkURL(u)
	return u, hostport, err
}

func checkURL(u *url.URL) (string, error) {
	var port string
	switch u.Scheme {
	case "https":
		port = "443"
	case "http":
		port = "80"
	default:
		return "", fmt.Errorf("scheme %q is not http or https", u.Scheme)
	}
	host := u.Hostname()
	switch {
	case host == "":
		return "", errors.New("the URL names no host")
	case !isHost(host):
		return "", fmt.Errorf("host %q is no name and no address: names have letters, digits, '.', '-' and '_', others are written in their xn-- form", host)
	case u.User != nil:
		return "", errors.New("the URL carries user information")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(strings.ToLower(host), port), nil
}

// isHost tells whether a URL's host is an address or may be a name. url.Parse lets through much that is neither, such as
// "]", which then reads as another host where it is joined with a port.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// isLoopback tells whether a URL's host is this machine, where a secret may travel without TLS.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
