package metatest

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
)

// epoch is that of all node keys in a World.
const epoch = 7

// Options says what a World has. A zero field is its default.
type Options struct {
	Nodes    int              // 10
	Scheme   ecenc.Redundancy // 4/6/8/10
	Rate     float64          // as endpoint.Options.Rate; default no limit
	Burst    int
	Store    kv.Store                // of the database, closed with the world; nil: in memory
	RunTwice bool                    // each transaction runs once for nothing first; in memory
	Wrap     func(kv.Store) kv.Store // around the store of the database; nil: nothing
}

// Scheme makes a Redundancy.
func Scheme(required, repair, optimal, total int) ecenc.Redundancy {
	return ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: required, Repair: repair, Optimal: optimal, Total: total}
}

// World is a satellite's metainfo with one project and an unrestricted API key.
type World struct {
	Endpoint *endpoint.Endpoint
	DB       *metabase.DB
	Secret   ecenc.Key
	Project  metainfo.Project
	Key      *macaroon.APIKey
	Nodes    []netx.NodeURL // all that ever joined

	opts Options // with defaults

	mu        sync.Mutex // guards the fields below
	down      map[netx.NodeID]bool
	stored    []netx.NodeID
	failed    []netx.NodeID
	suspects  []netx.NodeID
	underfull int
	groups    map[netx.NodeID]uint32
	allocated []endpoint.Allocation
}

var (
	_ endpoint.NodePicker  = (*World)(nil)
	_ endpoint.Grouper     = (*World)(nil)
	_ endpoint.Usage       = meterOf{}
	_ endpoint.LimitSigner = (*signer)(nil)
)

// NewWorld makes a world of the calling test or benchmark.
func NewWorld(t testing.TB, opts Options) *World {
	t.Helper()
	if opts.Nodes == 0 {
		opts.Nodes = 10
	}
	if opts.Scheme.Required == 0 {
		opts.Scheme = Scheme(4, 6, 8, 10)
	}
	if opts.Rate == 0 {
		opts.Rate = -1
	}
	store := opts.Store
	if store == nil {
		store = memkv.New(memkv.Options{RunTwice: opts.RunTwice})
	}
	if opts.Wrap != nil {
		store = opts.Wrap(store)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := metabase.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{DB: db, Secret: ecenc.Key{1, 2, 3}, opts: opts, down: make(map[netx.NodeID]bool), groups: make(map[netx.NodeID]uint32)}
	for i := range opts.Nodes {
		w.Nodes = append(w.Nodes, w.join(t, i))
	}
	w.Endpoint = w.NewEndpoint()
	w.Project, w.Key = w.NewProject(t, "test")
	return w
}

// NewEndpoint returns an endpoint as of another process, or of the same satellite after a restart.
func (w *World) NewEndpoint() *endpoint.Endpoint {
	return endpoint.New(endpoint.Options{
		DB: w.DB, Secret: w.Secret, Nodes: w, Limits: &signer{w.Secret}, Rate: w.opts.Rate, Burst: w.opts.Burst,
		Usage: meterOf{w},
		Underfull: func(metainfo.StreamID, metainfo.Position) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.underfull++
		},
	})
}

func (w *World) join(t testing.TB, i int) netx.NodeURL {
	t.Helper()
	var id netx.NodeID
	binary.BigEndian.PutUint64(id[:], uint64(i)+1)
	url := netx.NodeURL{ID: id, Address: fmt.Sprintf("10.0.%d.%d:7777", i/256, i%256)}
	_, err := w.DB.PutNode(t.Context(), id, func(n *metabase.Node, _ bool) error {
		n.Address = url.Address
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// NewProject makes a project with an unrestricted key.
func (w *World) NewProject(t testing.TB, name string) (metainfo.Project, *macaroon.APIKey) {
	t.Helper()
	project, err := w.DB.CreateProject(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	secret := ecenc.Key(w.Secret)
	copy(secret[8:], project.ID[:])
	key, err := macaroon.NewAPIKey(secret[:])
	if err != nil {
		t.Fatal(err)
	}
	record := metainfo.APIKeyRecord{Head: key.Head(), Secret: secret, Project: project.ID, Name: "key"}
	if err := w.DB.CreateAPIKey(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	return project, key
}

// Auth shows the world's key, restricted by the caveats.
func (w *World) Auth(t testing.TB, caveats ...macaroon.Caveat) metainfo.Auth {
	t.Helper()
	return Auth(t, w.Key, caveats...)
}

// Auth shows a key, restricted by the caveats.
func Auth(t testing.TB, key *macaroon.APIKey, caveats ...macaroon.Caveat) metainfo.Auth {
	t.Helper()
	for _, caveat := range caveats {
		var err error
		if key, err = key.Restrict(caveat); err != nil {
			t.Fatal(err)
		}
	}
	return metainfo.Auth{APIKey: key.Bytes()}
}

// SetDown takes nodes out of contact.
func (w *World) SetDown(down bool, nodes ...netx.NodeURL) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, node := range nodes {
		w.down[node.ID] = down
	}
}

// SetGroup puts nodes into one group: they would be lost together.
func (w *World) SetGroup(group uint32, nodes ...netx.NodeURL) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, node := range nodes {
		w.groups[node.ID] = group
	}
}

// SetLimits bounds what the world's project may use.
func (w *World) SetLimits(t testing.TB, l metainfo.Limits) {
	t.Helper()
	if err := w.DB.SetProjectLimits(t.Context(), w.Project.ID, l); err != nil {
		t.Fatal(err)
	}
	w.Endpoint.ForgetKeys()
}

// Allocated is what the endpoint handed out, added up by action.
func (w *World) Allocated() (get, put endpoint.Allocation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.allocated {
		sum := &put
		if !a.Action.IsPut() {
			sum = &get
		}
		sum.Limits += a.Limits
		sum.Useful += a.Useful
	}
	return get, put
}

// Underfull is how many segments were committed short of optimal.
func (w *World) Underfull() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.underfull
}

// Reported is what the endpoint said of nodes.
func (w *World) Reported() (stored, failed, suspects []netx.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.stored), slices.Clone(w.failed), slices.Clone(w.suspects)
}

// Placement knows the default one and number 1.
func (w *World) Placement(placement uint32) bool { return placement <= 1 }

// Redundancy is the scheme of the world.
func (w *World) Redundancy(uint32) ecenc.Redundancy { return w.opts.Scheme }

// Pick returns the first nodes that are in contact and not excluded.
func (w *World) Pick(_ uint32, count int, exclude []netx.NodeID) (picked []endpoint.PickedNode) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, node := range w.Nodes {
		if len(picked) < count && !w.down[node.ID] && !slices.Contains(exclude, node.ID) {
			picked = append(picked, endpoint.PickedNode{NodeURL: node})
		}
	}
	return picked
}

// Node says where a node is.
func (w *World) Node(id netx.NodeID) (url netx.NodeURL, online, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := int(binary.BigEndian.Uint64(id[:])) - 1
	if i < 0 || i >= len(w.Nodes) || w.Nodes[i].ID != id {
		return netx.NodeURL{}, false, false
	}
	return w.Nodes[i], !w.down[id], true
}

// Report notes what the endpoint says.
func (w *World) Report(stored, failed []netx.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stored, w.failed = append(w.stored, stored...), append(w.failed, failed...)
}

// Suspect notes what the endpoint says.
func (w *World) Suspect(ids []netx.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.suspects = append(w.suspects, ids...)
}

// Groups says what SetGroup did.
func (w *World) Groups(_ uint32, nodes []netx.NodeID) []uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	groups := make([]uint32, len(nodes))
	for i, id := range nodes {
		groups[i] = w.groups[id]
	}
	return groups
}

func (w *World) note(a endpoint.Allocation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allocated = append(w.allocated, a)
}

// meterOf hears what the endpoint hands out.
type meterOf struct{ w *World }

// Allocated notes it.
func (m meterOf) Allocated(a endpoint.Allocation) { m.w.note(a) }

// signer signs limits with the keys of one epoch.
type signer struct{ secret ecenc.Key }

func pieceKey(seed [32]byte) endpoint.PieceKey {
	return endpoint.PieceKey{Seed: seed, Public: [32]byte(ed25519.NewKeyFromSeed(seed[:])[32:])}
}

// UploadKey follows from the root.
func (s *signer) UploadKey(root pieces.PieceID) endpoint.PieceKey {
	return pieceKey(root.Derive(netx.NodeID{}, 0))
}

// DownloadKey is random.
func (s *signer) DownloadKey() endpoint.PieceKey { return pieceKey(pieces.NewPieceID()) }

// BucketTag hides nothing: this is a test.
func (s *signer) BucketTag(_ metainfo.ProjectID, bucket string) []byte { return []byte(bucket) }

// Limits signs.
func (s *signer) Limits(req endpoint.LimitRequest) []pieces.PieceLimit {
	now := time.Now().UTC()
	expires := now.Add(time.Hour).Truncate(time.Second)
	limits := make([]pieces.PieceLimit, len(req.Targets))
	for i, target := range req.Targets {
		limit := pieces.OrderLimit{
			Node: target.Node.ID, Piece: req.Root.Derive(target.Node.ID, target.Number), Action: req.Action, Limit: req.Bytes,
			PieceExpires: req.PieceExpires, Created: now, Expires: expires, Serial: pieces.NewSerialNumber(expires),
			UplinkKey: req.Uplink, BucketTag: req.BucketTag,
		}
		limits[i] = pieces.PieceLimit{
			Number: target.Number, Node: target.Node,
			Limit: limit.Sign(pieces.DeriveNodeKey(s.secret, target.Node.ID, epoch)),
		}
	}
	return limits
}

// CheckAck verifies.
func (s *signer) CheckAck(node netx.NodeID, ack *pieces.PieceAck) bool {
	return ack.Epoch == epoch && ack.Verify(pieces.DeriveNodeKey(s.secret, node, epoch))
}

// Limit reads a limit as its node does. It fails the test if the node would refuse it.
func (w *World) Limit(t testing.TB, l pieces.PieceLimit) pieces.OrderLimit {
	t.Helper()
	if !l.Limit.Verify(pieces.DeriveNodeKey(w.Secret, l.Node.ID, epoch)) {
		t.Fatalf("limit of piece %d is not signed for node %s", l.Number, l.Node.ID)
	}
	limit, err := l.Limit.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if limit.Node != l.Node.ID {
		t.Fatalf("limit of piece %d is for another node", l.Number)
	}
	return limit
}

// Ack is what a node answers that has stored size bytes under a limit.
func (w *World) Ack(t testing.TB, l pieces.PieceLimit, size int64) pieces.StoredPiece {
	t.Helper()
	limit := w.Limit(t, l)
	if size > limit.Limit || !limit.Action.IsPut() {
		t.Fatalf("node refuses %d bytes under a limit of %d for action %d", size, limit.Limit, limit.Action)
	}
	ack := pieces.PieceAck{Piece: limit.Piece, Size: size, Created: time.Now().UTC()}
	ack.Sign(pieces.DeriveNodeKey(w.Secret, l.Node.ID, epoch))
	return pieces.StoredPiece{Number: l.Number, Node: l.Node.ID, Ack: ack}
}

// Store pretends to upload plainSize bytes by a plan to the first count nodes, and returns what to commit.
func (w *World) Store(t testing.TB, plan *metainfo.SegmentPlan, position metainfo.Position, plainOffset, plainSize int64, count int) *metainfo.NewSegment {
	t.Helper()
	encrypted := cipher.EncryptedSize(plainSize)
	scheme := plan.Redundancy.WithShareSize(encrypted)
	s := &metainfo.NewSegment{
		Position: position, PlainOffset: plainOffset, PlainSize: plainSize, EncryptedSize: encrypted,
		Salt: [metainfo.SegmentSaltSize]byte{byte(position.Index + 1)}, Token: plan.Token, ShareSize: scheme.ShareSize,
	}
	for _, l := range plan.Limits[:count] {
		s.Pieces = append(s.Pieces, w.Ack(t, l, scheme.PieceSize(encrypted)))
	}
	return s
}

// Inline makes an inline segment of plainSize bytes.
func Inline(position metainfo.Position, plainOffset, plainSize int64) *metainfo.NewSegment {
	content := make([]byte, cipher.EncryptedSize(plainSize))
	for i := range content {
		content[i] = byte(plainSize) + byte(i)
	}
	return &metainfo.NewSegment{
		Position: position, PlainOffset: plainOffset, PlainSize: plainSize, EncryptedSize: int64(len(content)), Inline: content,
	}
}
