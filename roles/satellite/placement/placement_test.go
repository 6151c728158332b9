package placement

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx"
	"storj/pieces"
)

func nodeID(n int) (id netx.NodeID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

func TestAutoAnchors(t *testing.T) {
	t.Parallel()
	tests := map[int]string{
		-1: "1/1/1/1", 0: "1/1/1/1", 1: "1/1/1/1", 2: "1/1/2/2", 3: "1/1/2/3", 4: "2/3/4/4", 5: "2/3/4/5", 7: "3/4/6/7",
		10: "4/6/8/10", 20: "6/8/15/20", 60: "16/20/44/60", 110: "29/35/80/110", 111: "29/35/80/110", 20_000: "29/35/80/110",
	}
	for domains, want := range tests {
		if got := Auto(domains).String(); got != want {
			t.Errorf("Auto(%d) = %s, want %s", domains, got, want)
		}
	}
}

func TestAutoInvariants(t *testing.T) {
	t.Parallel()
	before := Auto(1)
	for domains := 1; domains <= 200; domains++ {
		r := Auto(domains)
		name := fmt.Sprintf("%d domains, %s", domains, r)
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Total > domains {
			t.Errorf("%s: more pieces than domains", name)
		}
		if r.Required < before.Required || r.Repair < before.Repair || r.Optimal < before.Optimal || r.Total < before.Total {
			t.Errorf("%s: fewer than %s of a smaller network", name, before)
		}
		if r.Required-before.Required > 1 || r.Optimal-before.Optimal > 3 { // optimal catches up where required steps
			t.Errorf("%s: a jump from %s", name, before)
		}
		if expansion := r.Optimal * 100 / r.Required; domains > 1 && (expansion < 200 || expansion > maxExpansion) {
			t.Errorf("%s: expansion %d%%", name, expansion)
		}
		if domains >= 4 && (r.Repair <= r.Required || r.Optimal <= r.Repair) {
			t.Errorf("%s: no room between required, repair and optimal", name)
		}
		before = r
	}
}

func TestParseProfile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text  string
		want  string // of For(10); empty: an error
		fixed bool
	}{
		{text: "", want: "4/6/8/10"},
		{text: "auto", want: "4/6/8/10"},
		{text: "29/35/80/110", want: "29/35/80/110", fixed: true},
		{text: "1/1/1/1", want: "1/1/1/1", fixed: true},
		{text: "4/6/8"}, {text: "4/3/8/10"}, {text: "0/1/1/1"}, {text: "a/b/c/d"}, {text: "1/1/1/256"}, {text: "AUTO"},
		{text: "4/6/8/10/12"}, {text: "-1/1/1/1"},
	}
	for _, test := range tests {
		profile, err := ParseProfile(test.text)
		if errors.Is(err, ErrProfile) != (test.want == "") {
			t.Errorf("%q: error %v", test.text, err)
		}
		if test.want == "" {
			continue
		}
		if got := profile.For(10).String(); got != test.want || profile.IsAuto() == test.fixed {
			t.Errorf("%q: %s, auto %v", test.text, got, profile.IsAuto())
		}
		if again, err := ParseProfile(profile.String()); err != nil || again != profile {
			t.Errorf("%q does not survive its text %q", test.text, profile)
		}
	}
}

func TestDomainOf(t *testing.T) {
	t.Parallel()
	a, b := nodeID(1), nodeID(2)
	tests := []struct {
		name         string
		addrA, addrB string
		nameA, nameB string
		same         bool
	}{
		{name: "private v4", addrA: "192.168.1.2", addrB: "192.168.1.3"},
		{name: "same private address", addrA: "10.0.0.1", addrB: "10.0.0.1"},
		{name: "loopback", addrA: "127.0.0.1", addrB: "127.0.0.1"},
		{name: "carrier NAT", addrA: "100.64.1.1", addrB: "100.64.1.2"},
		{name: "unique local v6", addrA: "fd00::1", addrB: "fd00::2"},
		{name: "link local with zone", addrA: "fe80::1%eth0", addrB: "fe80::2%eth0"},
		{name: "public, one /24", addrA: "8.8.8.1", addrB: "8.8.8.200", same: true},
		{name: "public, two /24", addrA: "8.8.8.1", addrB: "8.8.9.1"},
		{name: "mapped v4", addrA: "8.8.8.1", addrB: "::ffff:8.8.8.7", same: true},
		{name: "public v6, one /64", addrA: "2001:db8:1:2::1", addrB: "2001:db8:1:2:3::1", same: true},
		{name: "public v6, two /64", addrA: "2001:db8:1:2::1", addrB: "2001:db8:1:3::1"},
		{name: "named alike", addrA: "8.8.8.1", addrB: "9.9.9.9", nameA: "attic", nameB: "attic", same: true},
		{name: "named apart", addrA: "8.8.8.1", addrB: "8.8.8.2", nameA: "attic", nameB: "cellar"},
		{name: "name is not an address", addrA: "8.8.8.1", addrB: "1.1.1.1", nameB: "8.8.8.0/24"},
	}
	for _, test := range tests {
		one := DomainOf(a, netip.MustParseAddr(test.addrA), test.nameA)
		two := DomainOf(b, netip.MustParseAddr(test.addrB), test.nameB)
		if (one == two) != test.same {
			t.Errorf("%s: %q and %q", test.name, one, two)
		}
	}
	if DomainOf(a, netip.Addr{}, "") == DomainOf(b, netip.Addr{}, "") {
		t.Error("two nodes without address are one domain")
	}
}

// network makes nodes, of which each perDomain share a domain.
func network(count, perDomain int) []Node {
	nodes := make([]Node, count)
	for i := range nodes {
		nodes[i] = Node{
			URL:    netx.NodeURL{ID: nodeID(i), Address: fmt.Sprintf("10.%d.%d.1:7777", i/256, i%256)},
			Domain: fmt.Sprintf("name:%d", i/perDomain), Free: 1 << 40, LastContact: time.Now(),
		}
	}
	return nodes
}

func TestPickDistinctDomains(t *testing.T) {
	t.Parallel()
	dir := NewDirectory(Options{})
	dir.Put(network(60, 3)...)
	snap := dir.Snapshot()
	if snap.Domains() != 20 || snap.Len() != 60 || snap.Online() != 60 {
		t.Fatalf("%d domains, %d nodes, %d online", snap.Domains(), snap.Len(), snap.Online())
	}
	exclude := []netx.NodeID{nodeID(0), nodeID(1), nodeID(30), nodeID(999)}
	for _, count := range []int{0, 1, 10, 18, 19, 20, 200} {
		for range 50 {
			picked := snap.Pick(count, exclude)
			if want := min(count, 18); len(picked) != want {
				t.Fatalf("picked %d of %d, want %d", len(picked), count, want)
			}
			seen := map[int]bool{0: true, 10: true} // domains of the excluded
			for _, node := range picked {
				domain := int(binary.BigEndian.Uint64(node.ID[:])-1) / 3
				if seen[domain] {
					t.Fatalf("domain %d twice or excluded", domain)
				}
				seen[domain] = true
			}
		}
	}
}

func TestPickIsUniform(t *testing.T) {
	t.Parallel()
	nodes := network(40, 1)
	for i := 20; i < 40; i++ {
		nodes[i].Domain = "name:crowd" // twenty nodes, one chance
	}
	dir := NewDirectory(Options{})
	dir.Put(nodes...)
	const rounds = 42_000
	hits := make(map[netx.NodeID]int)
	for range rounds / 7 {
		for _, node := range dir.Snapshot().Pick(7, nil) {
			hits[node.ID]++
		}
	}
	crowd := 0
	const want = rounds / 21
	for i, node := range nodes {
		n := hits[node.URL.ID]
		if i >= 20 {
			crowd += n
		} else if n < want*8/10 || n > want*12/10 {
			t.Errorf("node %d picked %d times, want about %d", i, n, want)
		}
	}
	if crowd < want*8/10 || crowd > want*12/10 {
		t.Errorf("crowd picked %d times, want about %d", crowd, want)
	}
}

func TestPickPrefersTheReliable(t *testing.T) {
	t.Parallel()
	dir := NewDirectory(Options{})
	dir.Put(network(20, 1)...)
	bad := []netx.NodeID{nodeID(0), nodeID(1)}
	for range 20 {
		dir.Report(nil, bad)
	}
	dir.Report([]netx.NodeID{nodeID(5), nodeID(777)}, nil)
	hits := 0
	const rounds = 4000
	for range rounds {
		for _, node := range dir.Snapshot().Pick(2, nil) {
			if node.ID == bad[0] || node.ID == bad[1] {
				hits++
			}
		}
	}
	// Uniform would be 2*2/20 of the rounds; choice of two squares that.
	if hits == 0 || hits > rounds/10 {
		t.Fatalf("bad nodes picked %d times in %d rounds", hits, rounds)
	}
}

func TestEligibility(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := network(1, 1)[0]
		tests := []struct {
			name             string
			change           func(*Node)
			online, eligible bool
		}{
			{name: "good", change: func(*Node) {}, online: true, eligible: true},
			{name: "full", change: func(n *Node) { n.Free = pieces.MaxPieceSize - 1 }, online: true},
			{name: "leaving", change: func(n *Node) { n.Leaving = true }},
			{name: "unreachable", change: func(n *Node) { n.Unreachable = true }},
			{name: "silent", change: func(n *Node) { n.LastContact = time.Now().Add(-OfflineAfter - 1) }},
			{name: "almost silent", change: func(n *Node) { n.LastContact = time.Now().Add(-OfflineAfter) }, online: true, eligible: true},
		}
		for _, test := range tests {
			dir := NewDirectory(Options{})
			dir.Put(good)
			node := good
			test.change(&node)
			dir.Put(node)
			url, online, known := dir.Snapshot().Node(node.URL.ID)
			picked := len(dir.Snapshot().Pick(1, nil)) == 1
			if url != node.URL || !known || online != test.online || picked != test.eligible {
				t.Errorf("%s: online %v, picked %v", test.name, online, picked)
			}
		}

		dir := NewDirectory(Options{})
		dir.Put(good)
		old := dir.Snapshot()
		if !dir.SetReachable(good.URL.ID, false) || dir.SetReachable(good.URL.ID, false) || dir.SetReachable(nodeID(9), false) {
			t.Error("SetReachable tells news wrong")
		}
		if dir.Snapshot().Domains() != 0 || old.Domains() != 1 {
			t.Error("unreachable node still picked, or old snapshot changed")
		}
		dir.SetReachable(good.URL.ID, true)
		time.Sleep(OfflineAfter + time.Minute)
		dir.Refresh()
		if snap := dir.Snapshot(); snap.Domains() != 0 || snap.Online() != 0 || snap.Len() != 1 {
			t.Error("silent node still picked after Refresh")
		}
		good.LastContact = time.Now()
		dir.Put(good)
		if dir.Snapshot().Domains() != 1 || len(dir.Nodes()) != 1 {
			t.Error("node that came back is not picked")
		}
	})
}

func TestPickFromNobody(t *testing.T) {
	t.Parallel()
	if got := NewDirectory(Options{}).Snapshot().Pick(3, []netx.NodeID{nodeID(1)}); len(got) != 0 {
		t.Fatal(got)
	}
	if _, err := ParseProfile(strings.Repeat("1/", 1000)); !errors.Is(err, ErrProfile) {
		t.Fatal(err)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, nodes := range []int{110, 20_000} {
		dir := NewDirectory(Options{})
		dir.Put(network(nodes, 1)...)
		b.Run(fmt.Sprintf("110of%d", nodes), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(dir.Snapshot().PickFor(0, 110, nil)) != 110 {
					b.Fatal("too few")
				}
			}
		})
	}
}

func BenchmarkRebuild(b *testing.B) {
	dir := NewDirectory(Options{})
	dir.Put(network(20_000, 1)...)
	b.ReportAllocs()
	for b.Loop() {
		dir.Rebuild()
	}
}
