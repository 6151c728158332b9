package identity

import (
	"crypto/ed25519"
	"crypto/tls"
	"fmt"

	"storj/netx"
)

// PeerID returns the NodeID of the other end of a TLS connection: the hash of the key in its certificate.
//
// The handshake itself proves that the peer holds the key; this checks that there is exactly one certificate, that its
// key is Ed25519 and that the version is TLS 1.3. Called from tls.Config.VerifyConnection, which runs on resumed
// connections too (VerifyPeerCertificate does not).
//
// Errors: netx.ErrIdentity.
func PeerID(state tls.ConnectionState) (netx.NodeID, error) {
	if state.Version != tls.VersionTLS13 {
		return netx.NodeID{}, fmt.Errorf("%w: TLS version %#x", netx.ErrIdentity, state.Version)
	}
	if len(state.PeerCertificates) != 1 {
		return netx.NodeID{}, fmt.Errorf("%w: %d certificates, want 1", netx.ErrIdentity, len(state.PeerCertificates))
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PublicKeySize {
		return netx.NodeID{}, fmt.Errorf("%w: its key is not Ed25519", netx.ErrIdentity)
	}
	return netx.IDFromKey(key), nil
}
