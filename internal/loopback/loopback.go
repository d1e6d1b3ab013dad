// Package loopback knows which addresses are this machine's own, so that nothing on the way can
// read what goes there and nobody else gets in.
package loopback

import "net"

// Is tells whether a host, a name or an IP address, is this machine and reached from nowhere
// else. "" and 0.0.0.0, on which a server listens for everyone, are not.
func Is(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
