package quicnet

import (
	"crypto/tls"
	"encoding/base32"
	"fmt"
	"strings"

	"storj/netx"
	"storj/netx/identity"
)

// alpn names this protocol and its version to TLS.
const alpn = "storj/1"

// sessionCacheSize bounds the peers whose session ticket is kept, per purpose: a few KB each.
const sessionCacheSize = 512

// serverTLS accepts both purposes: the key agreement is what the client offers.
func serverTLS(id *identity.Identity) *tls.Config {
	conf := baseTLS(id)
	conf.ClientAuth = tls.RequireAnyClientCert
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		_, err := identity.PeerID(state)
		return err
	}
	conf.SetSessionTicketKeys([][32]byte{id.Secret("quic session tickets")})
	return conf
}

// clientTLS is what all dials of one purpose share; pinned makes it that of one dial.
func clientTLS(id *identity.Identity, purpose netx.Purpose) *tls.Config {
	conf := baseTLS(id)
	conf.InsecureSkipVerify = true // no authority signs peers: VerifyConnection compares the key instead
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(sessionCacheSize)
	if purpose == netx.Data {
		conf.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	return conf
}

func baseTLS(id *identity.Identity) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{alpn},
		Certificates: []tls.Certificate{id.TLSCertificate()},
	}
}

// pinned returns the config for a dial to one peer: no other key completes the handshake.
func pinned(shared *tls.Config, peer netx.NodeID) *tls.Config {
	conf := shared.Clone()
	conf.ServerName = serverName(peer)
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		got, err := identity.PeerID(state)
		if err == nil && got != peer {
			err = fmt.Errorf("%w: %s", netx.ErrIdentity, got)
		}
		return err
	}
	return conf
}

// serverName writes a NodeID as one label of a host name: base32 of 32 bytes, 52 characters.
func serverName(id netx.NodeID) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(id[:]))
}
