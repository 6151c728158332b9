package e2e

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/devnet"
	"storj/roles/satellite/admin"
)

// TestStranger has somebody whom nobody knows send satellite and nodes what they should not get: the network goes on, nobody
// grows, and what was refused is counted.
func TestStranger(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Nodes: 4, Debug: true})
	source := randomFile(t, 5<<20, 70)
	p.must("mb", "sj://calm")
	p.must("cp", source, "sj://calm/before")
	victims := map[*devnet.Process]netx.NodeURL{p.Satellite: nodeURL(t, p.URL), p.Nodes[0]: p.urlOf(p.Nodes[0])}
	const nodeStatus = 120 // storagenode, Node admin
	methods := map[*devnet.Process]rpc.Method{p.Satellite: pieces.MethodCheckIn, p.Nodes[0]: nodeStatus}
	grown := map[*devnet.Process]int64{}
	for victim := range victims {
		grown[victim] = victim.RSS()
	}
	var attacks sync.WaitGroup
	for victim, url := range victims {
		attacks.Go(func() { garbage(t, victim.Address) })
		attacks.Go(func() { openStreams(t, url, methods[victim]) })
		attacks.Go(func() { reconnect(t, url) })
	}
	for range 3 { // the others are served all the while
		p.same("sj://calm/before", source)
	}
	attacks.Wait()
	askAdmin(t, victims[p.Satellite], victims[p.Nodes[0]])

	p.same("sj://calm/before", source)
	p.must("cp", source, "sj://calm/after")
	for victim := range victims {
		if !victim.Running() {
			t.Errorf("%s ended: %s", victim.Name, victim.LastLog())
			continue
		}
		more := victim.RSS() - grown[victim]
		t.Logf("%s: resident memory grew by %d KiB", victim.Name, more>>10)
		if more > 64<<20 {
			t.Errorf("%s grew by %d bytes", victim.Name, more)
		}
		for _, cause := range []string{"too_large", "unknown_method", "malformed", "slow"} {
			name := fmt.Sprintf("storj_rpc_server_refused_total{cause=%q}", cause)
			until(t, victim.Name+" to count "+cause, func() error {
				if got := metric(t, victim, name); got < 1 {
					return fmt.Errorf("%s is %v", name, got)
				}
				return nil
			})
		}
	}
	if got := metric(t, p.Satellite, fmt.Sprintf("storj_rpc_server_calls_total{method=\"%d\",code=\"denied\"}", admin.MethodCreateToken)); got < 1 {
		t.Errorf("admin calls of a stranger that were denied: %v", got)
	}
}

func nodeURL(t *testing.T, text string) netx.NodeURL {
	t.Helper()
	url, err := netx.ParseNodeURL(text)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// urlOf is where the satellite sends uplinks to reach a node.
func (p *procs) urlOf(process *devnet.Process) netx.NodeURL {
	p.t.Helper()
	for _, node := range p.nodes() {
		if node.Address == process.Address {
			return nodeURL(p.t, node.ID+"@"+node.Address)
		}
	}
	p.t.Fatalf("satellite knows no node at %s", process.Address)
	return netx.NodeURL{}
}

// metric returns what a process counts under a name, or -1.
func metric(t *testing.T, process *devnet.Process, name string) float64 {
	t.Helper()
	_, body := get(t, process, "/metrics")
	for line := range strings.Lines(body) {
		if text, found := strings.CutPrefix(line, name+" "); found {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
			return value
		}
	}
	return -1
}

// garbage sends packets that are noise, or begin as those of QUIC do.
func garbage(t *testing.T, address string) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }() // nothing was promised
	random := rand.NewChaCha8([32]byte{70})
	for i := range 20_000 {
		packet := make([]byte, 1+i*7%1400)
		_, _ = random.Read(packet)
		if i%2 == 0 && len(packet) > 5 {
			packet[0] |= 0xc0 // long header, Initial
			binary.BigEndian.PutUint32(packet[1:], uint32(i/2%3))
		}
		_, _ = conn.Write(packet) // best effort: buffers may be full
	}
}

// stranger is a peer with an identity that nobody has seen.
func stranger(t *testing.T) *quicnet.Transport {
	id, err := identity.Generate()
	if err != nil {
		t.Error(err)
		return nil
	}
	transport, err := quicnet.New(id, quicnet.Options{})
	if err != nil {
		t.Error(err)
		return nil
	}
	return transport
}

// wrongRequests returns heads of requests for a method that exists; the first two are unfinished. The form is that of rpc.
func wrongRequests(method rpc.Method) [][]byte {
	head := binary.BigEndian.AppendUint16([]byte{1}, uint16(method))
	with := func(rest ...byte) []byte { return append(head[:len(head):len(head)], rest...) }
	huge := binary.AppendUvarint(with(), 1<<50)
	return [][]byte{
		{1}, head, append(huge[:len(huge):len(huge)], 1, 2, 3), huge,
		with(0x80, 0x80, 0x00),           // a length that is not in its shortest form
		with(4, 0xff, 0xff, 0xff, 0xff),  // no message
		{1, 0xff, 0xff, 0}, {9, 9, 9, 9}, // no such method, no such version
		with(10, 1), make([]byte, 64), {0}, // cut short, and nothing at all
	}
}

// openStreams opens streams on one connection as long as it is let, with requests that are wrong in every way, and leaves
// some of them unfinished until they are ended by the other side.
func openStreams(t *testing.T, url netx.NodeURL, method rpc.Method) {
	transport := stranger(t)
	if transport == nil {
		return
	}
	defer func() { _ = transport.Close() }() // nothing was promised
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := transport.Dial(ctx, url, netx.Control)
	if err != nil {
		t.Errorf("dial %s: %v", url, err)
		return
	}
	requests := wrongRequests(method)
	var reading sync.WaitGroup
	defer reading.Wait()
	for i := range 1000 {
		stream, err := conn.OpenStream(ctx)
		if err != nil {
			return // thrown out: well
		}
		request := requests[i%len(requests)]
		if i > 200 {
			request = requests[2+i%(len(requests)-2)]
		}
		_, _ = stream.Write(request) // it may have been reset already
		if len(request) > 3 {
			_ = stream.CloseWrite()
		}
		reading.Go(func() {
			_ = stream.SetDeadline(time.Now().Add(30 * time.Second)) // fails on a closed stream, whose reads end at once
			buf := make([]byte, 4096)
			for {
				if _, err := stream.Read(buf); err != nil {
					stream.Cancel(netx.Cancelled)
					return
				}
			}
		})
	}
}

// reconnect comes again and again as somebody else.
func reconnect(t *testing.T, url netx.NodeURL) {
	for range 50 {
		transport := stranger(t)
		if transport == nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		conn, err := transport.Dial(ctx, url, netx.Data)
		if err == nil {
			if stream, err := conn.OpenStream(ctx); err == nil {
				_, _ = stream.Write([]byte{1, 0, 1, 200}) // and never the rest
			}
		}
		cancel()
		_ = transport.Close() // nothing was promised
	}
}

// askAdmin tries everything that only the owner of a satellite or a node may.
func askAdmin(t *testing.T, satellite, node netx.NodeURL) {
	t.Helper()
	transport := stranger(t)
	if transport == nil {
		return
	}
	pool := rpc.NewPool(transport, rpc.PoolOptions{})
	defer func() { _ = errors.Join(pool.Close(), transport.Close()) }() // nothing was promised
	ctx, client := t.Context(), admin.NewClient(pool, satellite)
	for name, ask := range map[string]func() error{
		"status":         func() error { _, err := client.Status(ctx); return err },
		"create project": func() error { _, err := client.CreateProject(ctx, "mine"); return err },
		"list projects":  func() error { _, err := client.ListProjects(ctx); return err },
		"create key":     func() error { _, err := client.CreateAPIKey(ctx, "main", "mine"); return err },
		"list keys":      func() error { _, err := client.ListAPIKeys(ctx, "main"); return err },
		"revoke key":     func() error { return client.RevokeAPIKey(ctx, "main", "devnet") },
		"create token":   func() error { _, err := client.CreateToken(ctx, 1, time.Hour); return err },
		"list nodes":     func() error { _, err := client.ListNodes(ctx); return err },
	} {
		if err := ask(); netx.CodeOf(err) != netx.Denied {
			t.Errorf("%s by a stranger: %v", name, err)
		}
	}
	const nodeStatus, nodeCheck = 120, 121 // storagenode, Node admin
	for _, method := range []rpc.Method{nodeStatus, nodeCheck} {
		err := pool.Call(ctx, node, netx.Control, method, new(pieces.Empty), new(pieces.Empty), pieces.Errors())
		if netx.CodeOf(err) != netx.Denied {
			t.Errorf("method %d of a node by a stranger: %v", method, err)
		}
	}
	err := pool.Call(ctx, satellite, netx.Control, pieces.MethodCheckIn, &pieces.CheckIn{Time: time.Now()}, new(pieces.CheckInReply), pieces.Errors())
	if !errors.Is(err, pieces.ErrNotJoined) {
		t.Errorf("check-in of a stranger: %v", err)
	}
}

// TestDebugAddresses promises names on which people build alarms.
func TestDebugAddresses(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Nodes: 2, Debug: true})
	p.must("mb", "sj://seen")
	source := randomFile(t, 3<<20, 71)
	p.must("cp", source, "sj://seen/object")
	p.same("sj://seen/object", source)
	for _, test := range []struct {
		process *devnet.Process
		checks  []string
		names   map[string]float64 // and the least that they show
	}{
		{p.Satellite, []string{"database", "nodes"}, map[string]float64{
			"storj_nodes_known": 2, "storj_nodes_online": 2, "storj_node_domains": 2, "storj_db_bytes": 1, "storj_db_updates_total": 1,
			"storj_db_commits_total": 1, "storj_rpc_server_received_bytes_total": 1, "storj_quic_accepted_total": 1, "process_resident_memory_bytes": 1,
		}},
		{p.Nodes[0], []string{"satellites", "disks", "space"}, map[string]float64{
			`storj_node_space_bytes{kind="capacity"}`: 1e11, `storj_node_space_bytes{kind="used"}`: 1, `storj_node_space_bytes{kind="free"}`: 1,
			`storj_node_space_bytes{kind="trash"}`: 0, `storj_node_space_bytes{kind="garbage"}`: 0, "storj_node_satellites_reached": 1,
			"storj_node_checkins_total": 1, "storj_node_checkin_failures_total": 0, "storj_node_uploads_total": 1, "storj_node_downloads_total": 0,
			"storj_node_received_bytes_total": 1, "storj_node_sent_bytes_total": 0, "storj_quic_connections": 0,
		}},
	} {
		for name, least := range test.names {
			if got := metric(t, test.process, name); got < least {
				t.Errorf("%s: %s is %v, want at least %v", test.process.Name, name, got, least)
			}
		}
		status, body := get(t, test.process, "/health")
		var health struct {
			OK     bool              `json:"ok"`
			Checks map[string]string `json:"checks"`
		}
		if err := json.Unmarshal([]byte(body), &health); err != nil || status != http.StatusOK || !health.OK {
			t.Errorf("%s: health %d %s, %v", test.process.Name, status, body, err)
		}
		for _, name := range test.checks {
			if health.Checks[name] != "ok" {
				t.Errorf("%s: health check %s is %q", test.process.Name, name, health.Checks[name])
			}
		}
	}
	for _, node := range p.Nodes {
		if err := node.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if status, body := get(t, p.Satellite, "/health"); status != http.StatusOK {
		t.Logf("satellite without nodes: %d %s", status, body)
	}
}
