package quicnet_test

import (
	"testing"

	"storj/netx/identity"
	"storj/netx/nettest"
	"storj/netx/quicnet"
)

func newTransport(t testing.TB, opts quicnet.Options) (*quicnet.Transport, *identity.Identity) {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := quicnet.New(id, opts)
	if err != nil {
		t.Fatal(err)
	}
	return tr, id
}

func newPair(t testing.TB, opts quicnet.Options) nettest.Pair {
	t.Helper()
	client, clientID := newTransport(t, opts)
	server, serverID := newTransport(t, opts)
	return nettest.Pair{Client: client, Server: server, ClientID: clientID.ID(), ServerID: serverID.ID()}
}

func TestTransport(t *testing.T) {
	t.Run("gro", func(t *testing.T) {
		nettest.Run(t, func(t *testing.T) nettest.Pair { return newPair(t, quicnet.Options{}) })
	})
	t.Run("plain", func(t *testing.T) {
		nettest.Run(t, func(t *testing.T) nettest.Pair { return newPair(t, quicnet.Options{PlainReceive: true}) })
	})
}
