// Package netx is how peers find, know and talk to each other.
//
// A peer is an Ed25519 key: its NodeID is the SHA-256 of the public key, and a NodeURL says where it listens. A
// Transport dials and accepts connections whose other end has proved its NodeID; a Conn carries many streams; a
// stream carries one operation. Errors cross the wire as a Code and a Reason, never as text.
//
// Rooms:
//
//	identity  the key of a peer, on disk and as a TLS certificate
//	quicnet   Transport over QUIC, one UDP socket a process
//	memnet    Transport in memory, faults as verbs, for tests in a synctest bubble
//	rpc       control calls and streaming operations on a Transport; pooled connections
//	nettest   the suite that every Transport passes
//
// # Why
//
// The identity is the key, so that no authority has to sign anything and an address can change. Piece operations use
// one QUIC stream each: a lost packet stops one piece, not all, and a cancelled piece costs one reset.
package netx
