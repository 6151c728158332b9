package admin

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/roles/satellite/placement"
)

func testStatus() Status {
	return Status{
		Satellite: netx.NodeURL{ID: netx.NodeID{1}, Address: "a:1"}, Version: "v1", Running: true, Uptime: time.Hour,
		Projects: 1, Buckets: 2, Objects: 3, Segments: 4, Bytes: 5, Nodes: 6, Online: 7, Domains: 8,
		Redundancy: "4/6/8/10", Auto: true, DBBytes: 9, Warnings: []string{"one", "two"},
	}
}

func TestStatusSurvivesTheWire(t *testing.T) {
	t.Parallel()
	want := testStatus()
	var got Status
	if err := wire.Unmarshal(wire.Marshal(&want), &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Warnings, want.Warnings) {
		t.Errorf("warnings are %q", got.Warnings)
	}
	if a, b := wire.Marshal(&got), wire.Marshal(&want); !bytes.Equal(a, b) || got.Domains != 8 || got.Uptime != time.Hour {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func FuzzStatus(f *testing.F) {
	status := testStatus()
	f.Add(wire.Marshal(&status))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s Status
		if wire.Unmarshal(raw, &s) != nil {
			return
		}
		var again Status
		if err := wire.Unmarshal(wire.Marshal(&s), &again); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzNodePage(f *testing.F) {
	p := page[Node, *Node]{Items: []Node{{ID: netx.NodeID{1}, Address: "a:1", Joined: time.Unix(1, 0), Online: true}}, More: true}
	f.Add(wire.Marshal(&p))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p page[Node, *Node]
		if wire.Unmarshal(raw, &p) == nil && len(p.Items) > maxPage {
			t.Fatalf("%d items", len(p.Items))
		}
	})
}

func TestPages(t *testing.T) {
	t.Parallel()
	nodes := make([]Node, 2500)
	for i := range nodes {
		nodes[len(nodes)-1-i].ID = netx.NodeID{byte(i >> 8), byte(i), 1}
	}
	var seen []netx.NodeID
	var cursor netx.NodeID
	for more := true; more; {
		p := cut[Node](nodes, nodesUpTo(nodes, cursor))
		for _, n := range p.Items {
			seen = append(seen, n.ID)
		}
		cursor, more = seen[len(seen)-1], p.More
	}
	if len(seen) != len(nodes) || len(slices.Compact(seen)) != len(nodes) {
		t.Errorf("%d nodes seen of %d", len(seen), len(nodes))
	}
	if p := cut[Node](nodes, 1<<30); len(p.Items) != 0 || p.More {
		t.Error("a page behind the end")
	}
}

func newDirect(t *testing.T, address string) *Direct {
	t.Helper()
	store := memkv.New(memkv.Options{})
	t.Cleanup(func() { _ = store.Close() })
	db, err := metabase.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{DB: db, Satellite: netx.NodeURL{ID: netx.NodeID{1}, Address: address}})
}

func TestTokenNeedsAddress(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"sat.example:7777": true, "10.0.0.1:7777": true, "[::1]:7777": true,
		":7777": false, "0.0.0.0:7777": false, "[::]:7777": false, "sat.example": false, "": false, "sat.example:0": false,
	} {
		_, err := newDirect(t, address).CreateToken(t.Context(), 1, time.Hour)
		if good && err != nil || !good && !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestStopped reads the database of a satellite that does not run.
func TestStopped(t *testing.T) {
	t.Parallel()
	d := newDirect(t, "sat.example:7777")
	status, err := d.Status(t.Context())
	if err != nil || status.Running || len(status.Warnings) != 1 || status.Redundancy != "1/1/1/1" {
		t.Errorf("new: %+v, %v", status, err)
	}
	for i := range 4 {
		_, err := d.opts.DB.PutNode(t.Context(), netx.NodeID{byte(i + 1)}, func(n *metabase.Node, _ bool) error {
			n.Address, n.Free = "10.0.0.1:7777", 1<<40
			n.LastContact = time.Now().Add(-time.Duration(i) * 90 * time.Minute) // the last one is offline
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	status, err = d.Status(t.Context())
	if err != nil || status.Nodes != 4 || status.Online != 3 || status.Redundancy != "1/1/2/3" || len(status.Warnings) != 1 {
		t.Errorf("four nodes: %+v, %v", status, err)
	}
	nodes, err := d.ListNodes(t.Context())
	if err != nil || len(nodes) != 4 || !nodes[0].Online || nodes[3].Online {
		t.Errorf("nodes %+v, %v", nodes, err)
	}
	d.opts.Profile, err = placement.ParseProfile("4/6/8/10")
	if err != nil {
		t.Fatal(err)
	}
	status, err = d.Status(t.Context())
	if err != nil || len(status.Warnings) != 2 || status.Auto {
		t.Errorf("a profile larger than the network: %q, %v", status.Warnings, err)
	}
}
