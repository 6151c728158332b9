// Package identity holds the key of a peer: made once, kept in one file, shown to others as a TLS certificate.
//
//	id, err := identity.Load(path)           // or Generate and Save
//	id.ID()                                  // who we are
//	tls.Config{Certificates: []tls.Certificate{id.TLSCertificate()}, ...}
//	peer, err := identity.PeerID(state)      // who the other end proved to be
//
// # FORMAT
//
// The file is one PEM block of type PRIVATE KEY: PKCS #8 (RFC 5208) with an Ed25519 key (RFC 8410), mode 0600. Nothing
// follows it. Any TLS tool can read it:
//
//	-----BEGIN PRIVATE KEY-----
//	MC4CAQAwBQYDK2VwBCIEI...                 48 bytes of DER, the last 32 are the seed
//	-----END PRIVATE KEY-----
//
// Everything else follows from the seed and is not stored: public key, NodeID, certificate, and the secrets of Secret.
//
// # Concurrency
//
// An Identity never changes; all methods may be called concurrently.
//
// # Why
//
// The certificate says nothing but the key, so it is made anew at each start and is the same each time: valid from 1970
// to 9999, since peers' clocks are wrong and nobody trusts it for anything but the key. Secrets that must survive a
// restart (the keys of session tickets and stateless resets) are derived from the seed: one file is the whole identity,
// and its copy is a whole backup.
package identity
