// Package quicnet is the Transport over QUIC: one UDP socket and one quic.Transport per process, for dialing and
// listening alike.
//
//	t, err := quicnet.New(id, quicnet.Options{Address: ":28967", Log: log})
//	listener, err := t.Listen()
//	conn, err := t.Dial(ctx, peer, netx.Data)
//	defer t.Close()
//
// # Wire
//
// QUIC version 1 (RFC 9000), TLS 1.3, ALPN "storj/1", both sides with the certificate of package identity. The server
// name is the NodeID in lower-case base32 without padding, 52 characters: a valid host name, so that session tickets are
// kept per peer and not per address. Codes of netx are the error codes of resets and of connection closes.
//
// # Concurrency
//
// The accept loop of the listener is the package's one goroutine; those of quic-go come on top, two per connection.
// Close waits for them.
//
// # Why
//
// Settings follow measurements of 2026-11 with quic-go v0.65 on a machine of two cores:
//
//   - GRO on receive (gro_linux.go) takes a third of the CPU per byte away. Segmentation on send is quic-go's, and is
//     worth a factor of two: the socket handed to it must keep its system calls.
//   - A stream's window of 4 MiB holds a whole piece, so that a sender never waits for credit: 27 MB/s against 20 at
//     300 Mbit/s and 100 ms.
//   - quic-go refuses dials when 32 connections wait to be accepted: a loop takes them out into a longer queue, and
//     package rpc repeats refused dials.
//   - The keys of session tickets, address tokens and stateless resets come from the identity: after a restart, peers
//     resume, and learn at once that their old connections are gone.
//   - X25519 alone for Data halves the CPU of a handshake; Control carries API keys and keeps the hybrid exchange.
//   - Keep-alives cost 1.7 % of a core per 1000 connections: only Control connections, which may cross a NAT, send them.
package quicnet
