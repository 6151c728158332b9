package rpc_test

import (
	"testing"

	"storj/netx/rpc"
)

func TestHostOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"10.0.0.1:5":           "10.0.0.1",
		"[::ffff:10.0.0.1]:5":  "10.0.0.1",
		"[2001:db8:1:2::9]:5":  "2001:db8:1:2::/64",
		"[2001:db8:1:2:3::]:6": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5":     "fe80::/64",
		"node-3:7":             "node-3",
		"memory":               "memory",
	} {
		if got := rpc.HostOf(address); got != want {
			t.Errorf("%s counts as %s, want %s", address, got, want)
		}
	}
}
