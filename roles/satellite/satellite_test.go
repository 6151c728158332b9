package satellite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"storj/ecenc/cipher"
	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metaclient"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/placement"
)

// world is a satellite on a network in memory.
type world struct {
	*testing.T
	network *memnet.Network
	id      *identity.Identity
	wire    *memnet.Transport // the satellite's
	sat     *Satellite
	stop    func()
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, network: memnet.New(1), id: id}
	w.start(memkv.New(memkv.Options{}), change)
	t.Cleanup(func() { w.stop() })
	return w
}

// start runs a satellite on the store, or on the path that change sets.
func (w *world) start(store kv.Store, change func(*Options)) {
	w.Helper()
	w.wire = w.network.Transport(w.id.ID())
	opts := Options{Identity: w.id, Transport: w.wire, DB: store, Log: zerolog.Nop(), Version: "test"}
	if change != nil {
		change(&opts)
	}
	sat, err := New(w.Context(), opts)
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sat.Run(ctx) }()
	<-sat.Ready()
	w.sat = sat
	w.stop = func() {
		cancel()
		if err := errors.Join(<-done, sat.Close()); err != nil {
			w.Error(err)
		}
		w.stop = func() {}
	}
}

// peer is somebody on the network: a node when it answers pings.
type peer struct {
	w    *world
	wire *memnet.Transport
	pool *rpc.Pool
	keys []pieces.NodeKey
}

func (w *world) peer(n int) *peer {
	p := &peer{w: w, wire: w.network.Transport(netx.NodeID{byte(n), 0xee})}
	p.pool = rpc.NewPool(p.wire, rpc.PoolOptions{})
	w.Cleanup(func() {
		if err := errors.Join(p.pool.Close(), p.wire.Close()); err != nil {
			w.Error(err)
		}
	})
	return p
}

// node is a peer that answers pings and has joined.
func (w *world) node(n int) *peer {
	w.Helper()
	p := w.peer(n)
	p.answerPings()
	if err := p.join(w.token(1)); err != nil {
		w.Fatal(err)
	}
	return p
}

func (p *peer) answerPings() {
	p.w.Helper()
	listener, err := p.wire.Listen()
	if err != nil {
		p.w.Fatal(err)
	}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	rpc.Unary(server, pieces.MethodPing, rpc.Limits{}, func(context.Context, rpc.Peer, *pieces.Empty) (*pieces.PingReply, error) {
		return &pieces.PingReply{Version: "test", Time: time.Now()}, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	p.w.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			p.w.Error(err)
		}
	})
}

func (w *world) token(uses int) pieces.JoinToken {
	w.Helper()
	text, err := w.sat.Admin().CreateToken(w.Context(), uses, time.Hour)
	if err != nil {
		w.Fatal(err)
	}
	token, err := pieces.ParseJoinToken(text)
	if err != nil || token.Satellite != w.sat.URL() {
		w.Fatalf("token leads to %v, %v", token.Satellite, err)
	}
	return token
}

func (p *peer) join(token pieces.JoinToken) error {
	return p.pool.Call(p.w.Context(), token.Satellite, netx.Control, pieces.MethodJoin,
		&pieces.JoinRequest{Secret: token.Secret}, new(pieces.Empty), pieces.Errors())
}

func (p *peer) report() *pieces.CheckIn {
	return &pieces.CheckIn{
		Address: p.wire.Address(), Version: "v1", Capacity: 1 << 40, Used: 1 << 30, Free: 1 << 39, Time: time.Now(),
	}
}

func (p *peer) checkIn(report *pieces.CheckIn) (*pieces.CheckInReply, error) {
	reply := new(pieces.CheckInReply)
	err := p.pool.Call(p.w.Context(), p.w.sat.URL(), netx.Control, pieces.MethodCheckIn, report, reply, pieces.Errors())
	p.keys = reply.Keys
	return reply, err
}

func (w *world) domains() int { return w.sat.Directory().Snapshot().Domains() }

func (w *world) check(what string, err, want error) {
	w.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		w.Errorf("%s: error %v, want %v", what, err, want)
	}
}

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		one, two := w.peer(1), w.peer(2)
		one.answerPings()
		_, err := one.checkIn(one.report())
		w.check("check-in before joining", err, pieces.ErrNotJoined)
		token := w.token(1)
		forged := token
		forged.Secret[0] ^= 1
		w.check("forged token", one.join(forged), pieces.ErrToken)
		w.check("join", one.join(token), nil)
		w.check("join again", one.join(token), nil)
		w.check("token used up", two.join(token), pieces.ErrToken)
		late := w.token(5)
		time.Sleep(2 * time.Hour)
		w.check("token expired", two.join(late), pieces.ErrToken)

		reply, err := one.checkIn(one.report())
		w.check("check-in", err, nil)
		if len(reply.Keys) < 2 || reply.Interval != time.Hour || reply.Address != one.wire.Address() ||
			time.Since(reply.Time).Abs() > time.Minute || w.domains() != 1 {
			t.Errorf("reply is %+v, %d domains", reply, w.domains())
		}
	})
}

func TestOpenJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.OpenJoin = true })
		p := w.peer(1)
		_, err := p.checkIn(p.report())
		w.check("no ping-back", err, pieces.ErrPingBack)
		if nodes, err := w.sat.Admin().ListNodes(t.Context()); err != nil || len(nodes) != 0 {
			t.Errorf("a stranger that cannot be reached is known: %v, %v", nodes, err)
		}
		leaving := p.report()
		leaving.Leaving = true
		_, err = p.checkIn(leaving)
		w.check("leaving, never seen", err, pieces.ErrNotJoined)
		if nodes, err := w.sat.Admin().ListNodes(t.Context()); err != nil || len(nodes) != 0 {
			t.Errorf("a stranger that only left is known: %v, %v", nodes, err)
		}
		p.answerPings()
		_, err = p.checkIn(p.report())
		w.check("check-in", err, nil)
		if w.domains() != 1 {
			t.Errorf("%d domains", w.domains())
		}
		known := p.wire.Address()
		leaving.Address = "198.51.100.1:9"
		_, err = p.checkIn(leaving)
		w.check("leaving", err, nil)
		if nodes, err := w.sat.Admin().ListNodes(t.Context()); err != nil || len(nodes) != 1 || nodes[0].Address != known {
			t.Errorf("an address that was not tried is handed out: %v, %v", nodes, err)
		}
	})
}

// TestHiddenCharacters checks in with texts that would run on the owner's terminal.
func TestHiddenCharacters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.node(1)
		for name, change := range map[string]func(r *pieces.CheckIn){
			"domain":  func(r *pieces.CheckIn) { r.Domain = "attic\x1b[2J" },
			"version": func(r *pieces.CheckIn) { r.Version = "v1\u202e" },
			"address": func(r *pieces.CheckIn) { r.Address = "\x1b[31m" + r.Address },
			"utf-8":   func(r *pieces.CheckIn) { r.Domain = "\xff" },
		} {
			report := p.report()
			change(report)
			_, err := p.checkIn(report)
			w.check(name, err, pieces.ErrMalformed)
		}
	})
}

func TestCheckIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		node, other := w.node(1), w.node(2)
		_, port, _ := strings.Cut(node.wire.Address(), ":")
		tests := []struct {
			name    string
			change  func(r *pieces.CheckIn)
			err     error
			domains int
		}{
			{name: "no host: as seen", change: func(r *pieces.CheckIn) { r.Address = ":" + port }, domains: 1},
			{name: "unspecified host: as seen", change: func(r *pieces.CheckIn) { r.Address = "0.0.0.0:" + port }, domains: 1},
			{name: "full", change: func(r *pieces.CheckIn) { r.Free = 0 }, domains: 0},
			{name: "space again", change: func(*pieces.CheckIn) {}, domains: 1},
			{name: "leaving", change: func(r *pieces.CheckIn) { r.Leaving = true }, domains: 0},
			{name: "back", change: func(*pieces.CheckIn) {}, domains: 1},
			{name: "nobody there", change: func(r *pieces.CheckIn) { r.Address = "10.99.0.1:7777" }, err: pieces.ErrPingBack, domains: 1},
			{name: "another node there", change: func(r *pieces.CheckIn) { r.Address = other.wire.Address() }, err: pieces.ErrPingBack, domains: 1},
			{name: "no port", change: func(r *pieces.CheckIn) { r.Address = "10.0.0.1" }, err: pieces.ErrMalformed, domains: 1},
			{name: "port 0", change: func(r *pieces.CheckIn) { r.Address = "10.0.0.1:0" }, err: pieces.ErrMalformed, domains: 1},
			{name: "negative space", change: func(r *pieces.CheckIn) { r.Free = -1 }, err: pieces.ErrMalformed, domains: 1},
		}
		for _, test := range tests {
			time.Sleep(time.Minute)
			report := node.report()
			test.change(report)
			reply, err := node.checkIn(report)
			w.check(test.name, err, test.err)
			if err == nil && reply.Address != node.wire.Address() {
				t.Errorf("%s: address %s, want %s", test.name, reply.Address, node.wire.Address())
			}
			if got := w.domains(); got != test.domains {
				t.Errorf("%s: %d domains, want %d", test.name, got, test.domains)
			}
		}
		busy := error(nil)
		for range 50 {
			if _, err := node.checkIn(node.report()); err != nil {
				busy = err
			}
		}
		w.check("50 check-ins at once", busy, netx.ErrBusy)
	})
}

func TestSilentNodesAreMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		node := w.node(1)
		_, err := node.checkIn(node.report())
		w.check("check-in", err, nil)

		w.sat.overlay.Suspect([]netx.NodeID{node.wire.ID(), {9, 9}})
		time.Sleep(time.Second)
		if w.domains() != 1 {
			t.Error("a false hint was believed")
		}
		time.Sleep(time.Minute)
		w.network.Kill(node.wire.ID())
		w.sat.overlay.Suspect([]netx.NodeID{node.wire.ID()})
		time.Sleep(15 * time.Second)
		if w.domains() != 0 {
			t.Error("a true hint was not believed")
		}
		w.network.Revive(node.wire.ID())
		time.Sleep(2 * time.Minute)
		if w.domains() != 1 {
			t.Error("a node that came back was not noticed")
		}

		time.Sleep(placement.OfflineAfter + time.Hour) // it answers whenever it is asked
		if w.domains() != 1 {
			t.Error("a node that answers but does not check in was given up")
		}
		w.network.Kill(node.wire.ID())
		time.Sleep(placement.OfflineAfter + 2*time.Hour)
		if w.domains() != 0 {
			t.Error("a node that is gone is still selected")
		}
	})
}

func TestRestartKeepsNodes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "satellite.db")
	synctest.Test(t, func(t *testing.T) {
		id, err := identity.Generate()
		if err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, network: memnet.New(1), id: id}
		onDisk := func(o *Options) { o.DBPath, o.Relaxed = path, true }
		w.start(nil, onDisk)
		t.Cleanup(func() { w.stop() })
		node := w.node(1)
		_, err = node.checkIn(node.report())
		w.check("check-in", err, nil)
		before := node.keys
		text, project := w.apiKey()
		w.stop()

		time.Sleep(time.Hour)
		w.start(nil, onDisk)
		if w.domains() != 1 {
			t.Error("node is not selectable after a restart")
		}
		_, err = node.checkIn(node.report())
		w.check("check-in after a restart", err, nil)
		if len(node.keys) == 0 || node.keys[0] != before[0] {
			t.Error("keys changed with the restart")
		}
		svc := metaclient.New(w.peer(2).pool, w.sat.URL())
		info, err := svc.ProjectInfo(t.Context(), &metainfo.ProjectInfoRequest{Auth: parseAuth(t, text)})
		if err != nil || info.Project != project {
			t.Errorf("API key after a restart: %v", err)
		}
		w.stop()

		time.Sleep(24 * time.Hour) // the satellite was away for so long that nobody's last contact is recent
		w.start(nil, onDisk)
		time.Sleep(2 * time.Minute)
		if w.domains() != 1 {
			t.Error("node was not asked after a long stop")
		}
	})
}

func (w *world) apiKey() (text string, project metainfo.ProjectID) {
	w.Helper()
	p, err := w.sat.Admin().CreateProject(w.Context(), "photos")
	if err != nil {
		w.Fatal(err)
	}
	text, err = w.sat.Admin().CreateAPIKey(w.Context(), "photos", "laptop")
	if err != nil {
		w.Fatal(err)
	}
	return text, p.ID
}

func parseAuth(t *testing.T, text string) metainfo.Auth {
	t.Helper()
	key, err := macaroon.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return metainfo.Auth{APIKey: key.Bytes()}
}

// TestUpload stores an object on five nodes with the redundancy that follows from their number.
func TestUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		nodes := make(map[netx.NodeID]*peer)
		for i := range 5 {
			p := w.node(i + 1)
			if _, err := p.checkIn(p.report()); err != nil {
				t.Fatal(err)
			}
			nodes[p.wire.ID()] = p
		}
		text, _ := w.apiKey()
		auth := parseAuth(t, text)
		svc := metaclient.New(w.peer(100).pool, w.sat.URL())
		if _, err := svc.CreateBucket(t.Context(), &metainfo.CreateBucketRequest{Auth: auth, Name: "bucket"}); err != nil {
			t.Fatal(err)
		}
		begun, err := svc.BeginObject(t.Context(), &metainfo.BeginObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("k"), Plan: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := begun.Plan.Redundancy.String(); got != "2/3/4/5" || len(begun.Plan.Limits) != 5 {
			t.Fatalf("plan is %s with %d limits", got, len(begun.Plan.Limits))
		}
		const plain = 100_000
		scheme := begun.Plan.Redundancy.WithShareSize(cipher.EncryptedSize(plain))
		last := &metainfo.NewSegment{
			PlainSize: plain, EncryptedSize: cipher.EncryptedSize(plain), Token: begun.Plan.Token, ShareSize: scheme.ShareSize,
		}
		for _, l := range begun.Plan.Limits[1:] {
			key := nodes[l.Node.ID].keys[0]
			limit, err := l.Limit.Decode()
			if err != nil || !l.Limit.Verify(key) || l.Node.Address != nodes[l.Node.ID].wire.Address() {
				t.Fatalf("limit %d does not convince its node: %v", l.Number, err)
			}
			ack := pieces.PieceAck{Piece: limit.Piece, Size: scheme.PieceSize(last.EncryptedSize), Created: time.Now()}
			ack.Sign(key)
			last.Pieces = append(last.Pieces, pieces.StoredPiece{Number: l.Number, Node: l.Node.ID, Ack: ack})
		}
		_, err = svc.CommitObject(t.Context(), &metainfo.CommitObjectRequest{Auth: auth, Upload: begun.Upload, Segments: 1, Last: last})
		if err != nil {
			t.Fatal(err)
		}
		d, err := svc.Download(t.Context(), &metainfo.DownloadRequest{Auth: auth, Bucket: "bucket", Key: []byte("k"), Length: -1})
		if err != nil || len(d.Segments) != 1 || len(d.Segments[0].Limits) != 4 {
			t.Fatalf("download: %+v, %v", d, err)
		}
		status, err := w.sat.Admin().Status(t.Context())
		if err != nil || status.Objects != 1 || status.Segments != 1 || status.Bytes != plain {
			t.Errorf("status %+v, %v", status, err)
		}

		if err := w.sat.Admin().RevokeAPIKey(t.Context(), "photos", "laptop"); err != nil {
			t.Fatal(err)
		}
		_, err = svc.GetObject(t.Context(), &metainfo.ObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("k")})
		w.check("revoked key, at once", err, metainfo.ErrAPIKey)
	})
}

func TestChores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		text, project := w.apiKey()
		auth := parseAuth(t, text)
		svc := metaclient.New(w.peer(1).pool, w.sat.URL())
		if _, err := svc.CreateBucket(t.Context(), &metainfo.CreateBucketRequest{Auth: auth, Name: "bucket"}); err != nil {
			t.Fatal(err)
		}
		inline := metainfo.NewSegment{PlainSize: 1, EncryptedSize: 17, Inline: make([]byte, 17)}
		_, err := svc.CommitObject(t.Context(), &metainfo.CommitObjectRequest{
			Auth: auth, Bucket: "bucket", Key: []byte("short"), Segments: 1, Last: &inline, Expires: time.Now().Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		begun, err := svc.BeginObject(t.Context(), &metainfo.BeginObjectRequest{Auth: auth, Bucket: "bucket", Key: []byte("zombie")})
		if err != nil {
			t.Fatal(err)
		}
		if err := svc.CommitSegment(t.Context(), &metainfo.CommitSegmentRequest{Auth: auth, Upload: begun.Upload, Segment: inline}); err != nil {
			t.Fatal(err)
		}
		rows := func() (objects int64, uploads int) {
			totals, err := w.sat.DB().BucketTotals(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, total := range totals {
				objects += total.Objects
			}
			pending, _, err := w.sat.DB().PendingUploads(t.Context(), project, "bucket", metainfo.StreamID{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			return objects, len(pending)
		}
		if objects, uploads := rows(); objects != 1 || uploads != 1 {
			t.Fatalf("%d objects, %d uploads", objects, uploads)
		}
		time.Sleep(2 * time.Hour)
		if objects, uploads := rows(); objects != 0 || uploads != 1 {
			t.Errorf("after two hours: %d objects, %d uploads", objects, uploads)
		}
		time.Sleep(zombieAge)
		if _, uploads := rows(); uploads != 0 {
			t.Errorf("after two days: %d uploads", uploads)
		}
	})
}

func TestAdminOverTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		for i := range 3 {
			p := w.node(i + 1)
			if i < 2 {
				if _, err := p.checkIn(p.report()); err != nil {
					t.Fatal(err)
				}
			}
		}
		self := rpc.NewPool(w.wire, rpc.PoolOptions{})
		t.Cleanup(func() { _ = self.Close() })
		exerciseAdmin(t, admin.NewClient(self, w.sat.URL()))
		status, err := admin.NewClient(self, w.sat.URL()).Status(t.Context())
		if err != nil || !status.Running || status.Nodes != 3 || status.Online != 2 || status.Redundancy != "1/1/2/2" || !status.Auto ||
			status.Version != "test" || status.Satellite != w.sat.URL() || len(status.Warnings) != 1 {
			t.Errorf("status %+v, %v", status, err)
		}
		nodes, err := admin.NewClient(self, w.sat.URL()).ListNodes(t.Context())
		if err != nil || len(nodes) != 3 || !nodes[0].Online || !nodes[1].Online || nodes[2].Online || nodes[0].Capacity != 1<<40 {
			t.Errorf("nodes %+v, %v", nodes, err)
		}

		stranger := admin.NewClient(w.peer(50).pool, w.sat.URL())
		_, err = stranger.Status(t.Context())
		w.check("status", err, metainfo.ErrAdmin)
		_, err = stranger.CreateProject(t.Context(), "p")
		w.check("project", err, metainfo.ErrAdmin)
		_, err = stranger.ListProjects(t.Context())
		w.check("projects", err, metainfo.ErrAdmin)
		_, err = stranger.CreateAPIKey(t.Context(), "p", "k")
		w.check("key", err, metainfo.ErrAdmin)
		_, err = stranger.ListAPIKeys(t.Context(), "p")
		w.check("keys", err, metainfo.ErrAdmin)
		w.check("revoke", stranger.RevokeAPIKey(t.Context(), "p", "k"), metainfo.ErrAdmin)
		_, err = stranger.CreateToken(t.Context(), 1, time.Hour)
		w.check("token", err, metainfo.ErrAdmin)
		_, err = stranger.ListNodes(t.Context())
		w.check("nodes", err, metainfo.ErrAdmin)
	})
}

func TestAdminDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { exerciseAdmin(t, newWorld(t, nil).sat.Admin()) })
}

// exerciseAdmin does what an owner does, by whichever way.
func exerciseAdmin(t *testing.T, adm admin.Admin) {
	t.Helper()
	want := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: error %v, want %v", what, err, want)
		}
	}
	project, err := adm.CreateProject(t.Context(), "photos")
	want("project", err, nil)
	_, err = adm.CreateProject(t.Context(), "photos")
	want("project again", err, metainfo.ErrProjectExists)
	_, err = adm.CreateProject(t.Context(), "")
	want("project without name", err, metainfo.ErrName)
	_, err = adm.CreateProject(t.Context(), "backup")
	want("second project", err, nil)
	list, err := adm.ListProjects(t.Context())
	if err != nil || len(list) != 2 || list[0].Name != "backup" || list[1] != *project {
		t.Errorf("projects %+v, %v", list, err)
	}

	text, err := adm.CreateAPIKey(t.Context(), "photos", "laptop")
	want("key", err, nil)
	if _, err := macaroon.Parse(text); err != nil {
		t.Errorf("key text: %v", err)
	}
	_, err = adm.CreateAPIKey(t.Context(), project.ID.String(), "phone") // by ID
	want("key by project ID", err, nil)
	_, err = adm.CreateAPIKey(t.Context(), "photos", "laptop")
	want("key again", err, metainfo.ErrKeyExists)
	_, err = adm.CreateAPIKey(t.Context(), "absent", "laptop")
	want("key of no project", err, metainfo.ErrProjectNotFound)
	want("revoke", adm.RevokeAPIKey(t.Context(), "photos", "laptop"), nil)
	want("revoke again", adm.RevokeAPIKey(t.Context(), "photos", "laptop"), nil)
	want("revoke nothing", adm.RevokeAPIKey(t.Context(), "photos", "absent"), metainfo.ErrKeyNotFound)
	keys, err := adm.ListAPIKeys(t.Context(), "photos")
	if err != nil || len(keys) != 2 || keys[0].Name != "laptop" || !keys[0].Revoked || keys[1].Revoked {
		t.Errorf("keys %+v, %v", keys, err)
	}
	_, err = adm.ListAPIKeys(t.Context(), "absent")
	want("keys of no project", err, metainfo.ErrProjectNotFound)

	for _, test := range []struct {
		uses int
		life time.Duration
		err  error
	}{
		{1, time.Hour, nil},
		{0, time.Hour, admin.ErrTokenOptions},
		{1_000_000, time.Hour, admin.ErrTokenOptions},
		{1, time.Second, admin.ErrTokenOptions},
		{1, 10_000 * time.Hour, admin.ErrTokenOptions},
	} {
		_, err := adm.CreateToken(t.Context(), test.uses, test.life)
		want(fmt.Sprintf("token %d %v", test.uses, test.life), err, test.err)
	}
}

func TestDebug(t *testing.T) { // real sockets: not in a bubble
	t.Parallel()
	w := newWorld(t, func(o *Options) { o.DebugAddress = "127.0.0.1:0" })
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (int, string) {
		resp, err := client.Get("http://" + w.sat.DebugAddress() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if code, body := get("/metrics"); code != 200 || !strings.Contains(body, "storj_nodes_online 0") {
		t.Errorf("metrics: %d", code)
	}
	if code, body := get("/health"); code != 200 || !strings.Contains(body, `"database":"ok"`) {
		t.Errorf("health of a satellite that is new: %d %s", code, body)
	}
	w.sat.Directory().Put(placement.Node{URL: netx.NodeURL{ID: netx.NodeID{1}}, Leaving: true})
	if code, body := get("/health"); code != 503 || !strings.Contains(body, errNoNodes.Error()) {
		t.Errorf("health of a satellite without nodes: %d %s", code, body)
	}
}

func TestNewErrors(t *testing.T) {
	t.Parallel()
	if _, err := New(t.Context(), Options{}); !errors.Is(err, errOptions) {
		t.Errorf("nothing set: %v", err)
	}
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	transport := memnet.New(1).Transport(id.ID())
	_, err = New(t.Context(), Options{Identity: id, Transport: transport, DBPath: filepath.Join(t.TempDir(), "none", "db")})
	if err == nil {
		t.Error("database in a folder that does not exist")
	}
	if _, err := transport.Listen(); !errors.Is(err, netx.ErrClosed) {
		t.Errorf("transport is left open: %v", err)
	}
}
