package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// Private says which private addresses may be called: those of the machine itself (loopback) and of networks that the
// internet does not reach (RFC 1918, RFC 4193, carrier-grade NAT), or that are no single machine's. The zero value lets
// contracts name them: who registers http://127.0.0.1:9000 or http://localhost:9000 says so openly. No other name leads
// there, whatever it resolves to, so that whoever owns a name does not own this network.
type Private struct {
	// Unlisted refuses addresses that only a contract names.
	Unlisted bool
	// Hosts are names that may resolve to private addresses, in lower case.
	Hosts []string
	// Networks may be called by whatever name.
	Networks []netip.Prefix
}

// ParsePrivate reads a Private as operators write it: "listed" for what contracts name as an address or as localhost,
// names, addresses, networks such as "10.0.0.0/8"; "none" alone for none at all.
func ParsePrivate(entries []string) (Private, error) {
	p := Private{Unlisted: true}
	for _, entry := range entries {
		entry = strings.ToLower(strings.TrimSpace(entry))
		addr, notAddr := netip.ParseAddr(strings.Trim(entry, "[]"))
		network, notNetwork := netip.ParsePrefix(entry)
		switch {
		case entry == "listed":
			p.Unlisted = false
		case entry == "none" && len(entries) == 1:
		case notAddr == nil:
			addr = addr.Unmap().WithZone("")
			p.Networks = append(p.Networks, netip.PrefixFrom(addr, addr.BitLen()))
		case notNetwork == nil:
			p.Networks = append(p.Networks, network.Masked())
		case entry != "" && entry != "none" && isHost(entry):
			p.Hosts = append(p.Hosts, entry)
		default:
			return Private{}, fmt.Errorf(`%q is none of "listed", a name, an address or a network such as 10.0.0.0/8, nor "none" alone`, entry)
		}
	}
	return p, nil
}

var (
	// errForbiddenAddress says that an address is never called, whatever name led to it.
	errForbiddenAddress = errors.New("link-local and cloud metadata addresses are never called")
	// errPrivateAddress says that the operator has not allowed an address.
	errPrivateAddress = errors.New("private addresses are called only where the operator allows it")
)

// isRefusedAddress tells whether a call was not made because of the address.
func isRefusedAddress(err error) bool {
	return errors.Is(err, errForbiddenAddress) || errors.Is(err, errPrivateAddress)
}

// check tells whether addr may be called for a URL's host: addr itself as it was written, or a name that led to it.
func (p *Private) check(host string, addr netip.Addr) error {
	addr = plain(addr)
	if forbidden(addr) {
		return fmt.Errorf("%s: %w", addr, errForbiddenAddress)
	}
	if !isPrivate(addr) || slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(addr) }) {
		return nil
	}
	host = strings.ToLower(host)
	if slices.Contains(p.Hosts, host) {
		return nil
	}
	_, notWritten := netip.ParseAddr(host)
	if !p.Unlisted && (notWritten == nil || host == "localhost" && addr.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s: %w", addr, errPrivateAddress)
}

// dialer returns a DialContext that sees the address after the name was resolved, so that DNS cannot lead around check.
func (p *Private) dialer(d net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := d
		d.Control = func(_, resolved string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return fmt.Errorf("dial %q: %w", resolved, err)
			}
			return p.check(host, ap.Addr())
		}
		return d.DialContext(ctx, network, address)
	}
}

// plain returns the address that an address stands for: an IPv4 one may be wrapped in several ways.
func plain(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	b := addr.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(addr): // NAT64
		return netip.AddrFrom4([4]byte(b[12:]))
	case netip.MustParsePrefix("2002::/16").Contains(addr): // 6to4
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return addr
}

// forbidden tells whether a plain address belongs to the machine's own surroundings: whoever gets a service to ask there
// gets the machine's credentials.
func forbidden(addr netip.Addr) bool {
	switch addr.String() {
	case "fd00:ec2::254", // AWS over IPv6
		"fd20:ce::254",    // Google Cloud over IPv6
		"100.100.100.200": // Alibaba Cloud
		return true
	}
	return addr.IsLinkLocalUnicast() // 169.254.0.0/16, fe80::/10
}

// isPrivate tells whether a plain address is none of the internet's.
func isPrivate(addr netip.Addr) bool {
	if addr.IsLoopback() || addr.IsPrivate() || addr.IsUnspecified() || addr.IsMulticast() {
		return true
	}
	for _, network := range [...]string{
		"0.0.0.0/8",      // this host
		"100.64.0.0/10",  // carrier-grade NAT
		"192.0.0.0/24",   // protocols' own
		"198.18.0.0/15",  // measurements
		"240.0.0.0/4",    // reserved, and broadcast
		"64:ff9b:1::/48", // NAT64 of one network
		"fec0::/10",      // what ULA replaced
	} {
		if netip.MustParsePrefix(network).Contains(addr) {
			return true
		}
	}
	return false
}
