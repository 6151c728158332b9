package gc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/filter"
)

// model is a network without a network: a database, and what nodes hold. It is changed at random between the pages of
// passes that filters are made in.
type model struct {
	*metabase.DB
	t       *testing.T
	random  *rand.Rand
	project metainfo.ProjectID
	nodes   []netx.NodeID // by alias, from 1
	held    map[netx.NodeID]map[pieces.PieceID]*held
	waiting map[netx.NodeID]*sealed // filters that nodes have and have not applied
	uploads []upload                // begun, not committed
	parts   []metabase.Upload       // uploads in parts
	trashed int
	seen    map[string]int // operations that did something

	turn chan struct{} // capacity 1: ranges walk at the same time; a channel, since a bubble's clock stands still for a mutex
}

type held struct {
	created time.Time
	trashed bool
}

// upload is a segment whose pieces lie on nodes.
type upload struct {
	up      metabase.Upload
	segment metainfo.Segment
	begun   time.Time
}

func scheme() ecenc.Redundancy {
	return ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 2, Repair: 2, Optimal: 3, Total: 5, ShareSize: ecenc.MaxShareSize}
}

func newModel(t *testing.T, seed uint64) *model {
	store := memkv.New(memkv.Options{})
	t.Cleanup(func() { _ = store.Close() })
	db, err := metabase.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{
		DB: db, t: t, random: rand.New(rand.NewPCG(seed, 0)), nodes: []netx.NodeID{{}}, seen: make(map[string]int),
		held: make(map[netx.NodeID]map[pieces.PieceID]*held), waiting: make(map[netx.NodeID]*sealed), turn: make(chan struct{}, 1),
	}
	for i := range 8 {
		id := netx.NodeID{1, byte(i)}
		if _, err := db.PutNode(t.Context(), id, func(*metabase.Node, bool) error { return nil }); err != nil {
			t.Fatal(err)
		}
		m.nodes = append(m.nodes, id)
		m.held[id] = make(map[pieces.PieceID]*held)
	}
	p, err := db.CreateProject(t.Context(), "main")
	if err == nil {
		_, err = db.CreateBucket(t.Context(), p.ID, metainfo.Bucket{Name: "bucket"})
	}
	if err != nil {
		t.Fatal(err)
	}
	m.project = p.ID
	return m
}

func (m *model) ref() metabase.ObjectRef {
	return metabase.ObjectRef{Project: m.project, Bucket: "bucket", Key: fmt.Append(nil, "key ", m.random.IntN(40))}
}

// did counts an operation. Errors that say that there is nothing to do are fine.
func (m *model) did(what string, err error) bool {
	for _, fine := range []error{metainfo.ErrObjectNotFound, metainfo.ErrObjectChanged, metainfo.ErrUpload} {
		if errors.Is(err, fine) {
			return false
		}
	}
	if err != nil {
		m.t.Errorf("%s: %v", what, err)
	}
	m.seen[what]++
	return true
}

// begin puts the pieces of a new segment on nodes.
func (m *model) begin(up metabase.Upload) upload {
	s := metainfo.Segment{
		Stream: up.Stream, Position: metainfo.Position{Part: up.Part}, Created: time.Now(), PlainSize: 1 << 20, EncryptedSize: 1<<20 + 512,
		Root: pieces.NewPieceID(), Redundancy: scheme(),
	}
	order := m.random.Perm(len(m.nodes) - 1)
	for number := range 3 {
		alias := metainfo.NodeAlias(order[number] + 1)
		s.Pieces = append(s.Pieces, metainfo.Piece{Number: number, Alias: alias})
		node := m.nodes[alias]
		m.held[node][s.Root.Derive(node, number)] = &held{created: time.Now()}
	}
	return upload{up: up, segment: s, begun: time.Now()}
}

// step does one thing.
func (m *model) step() {
	ctx := m.t.Context()
	up := metabase.Upload{ObjectRef: m.ref(), Stream: metainfo.NewStreamID(), Created: time.Now()}
	switch m.random.IntN(14) {
	case 0, 1, 2:
		m.uploads = append(m.uploads, m.begin(up))
	case 3, 4, 5:
		m.commit(ctx)
	case 6, 7, 8:
		_, err := m.CopyObject(ctx, metabase.CopyObject{From: m.ref(), To: m.ref(), WrappedKey: []byte("k")})
		m.did("copy", err)
	case 9:
		_, err := m.CopyObject(ctx, metabase.CopyObject{From: m.ref(), To: m.ref(), WrappedKey: []byte("k"), Move: true})
		m.did("move", err)
	case 10, 11:
		items, err := m.Delete(ctx, metabase.Delete{Project: m.project, Bucket: "bucket", Items: []metainfo.DeleteItem{{Key: m.ref().Key}}})
		if m.did("delete", err) && len(items) != 1 {
			m.t.Errorf("delete: %v", items)
		}
	case 12:
		m.repair(ctx)
	case 13:
		m.inParts(ctx, up)
	}
	if m.random.IntN(4) == 0 {
		_, _, err := m.SweepDead(ctx)
		m.did("sweep", err)
	}
	if m.random.IntN(6) == 0 {
		m.apply()
	}
	time.Sleep(time.Duration(m.random.IntN(20)) * time.Minute)
}

// commit ends an upload, or gives it up when its token is too old.
func (m *model) commit(ctx context.Context) {
	if len(m.uploads) == 0 {
		return
	}
	i := m.random.IntN(len(m.uploads))
	u := m.uploads[i]
	m.uploads = slices.Delete(m.uploads, i, i+1)
	if time.Since(u.begun) > metainfo.MaxUploadAge {
		return
	}
	if u.up.Part > 0 {
		_, err := m.CommitPart(ctx, metabase.CommitPart{Upload: u.up, Last: &u.segment, Segments: 1})
		m.did("part", err)
		return
	}
	_, err := m.CommitObject(ctx, metabase.CommitObject{Upload: u.up, Last: &u.segment, Segments: 1, WrappedKey: []byte("k")})
	m.did("put", err)
}

// inParts begins an upload in parts, goes on with one, or ends it, perhaps days later.
func (m *model) inParts(ctx context.Context, up metabase.Upload) {
	if len(m.parts) < 3 {
		m.did("begin parts", m.BeginUpload(ctx, metabase.BeginUpload{Upload: up, WrappedKey: []byte("k")}))
		m.parts = append(m.parts, up)
		return
	}
	i := m.random.IntN(len(m.parts))
	whole := m.parts[i]
	if m.random.IntN(4) > 0 {
		part := whole
		part.Stream, part.Parent, part.Part = metainfo.NewStreamID(), whole.Stream, uint32(1+m.random.IntN(3))
		m.uploads = append(m.uploads, m.begin(part))
		return
	}
	m.parts = slices.Delete(m.parts, i, i+1)
	_, err := m.CommitObject(ctx, metabase.CommitObject{Upload: whole})
	if !errors.Is(err, metainfo.ErrPart) { // it has none
		m.did("end parts", err)
	}
}

// repair moves a piece of some segment to a node that never had it.
func (m *model) repair(ctx context.Context) {
	place := metabase.SegmentPlace{Stream: metainfo.NewStreamID()}
	page, _, _, err := m.SegmentPage(ctx, place, metainfo.StreamID{}, 1)
	if err != nil || len(page) == 0 {
		return
	}
	s := page[0]
	with := slices.Clone(s.Pieces)
	i, alias := m.random.IntN(len(with)), metainfo.NodeAlias(1+m.random.IntN(len(m.nodes)-1))
	node := m.nodes[alias]
	id := s.Root.Derive(node, with[i].Number)
	if m.held[node][id] != nil || slices.ContainsFunc(with, func(p metainfo.Piece) bool { return p.Alias == alias }) {
		return
	}
	m.held[node][id] = &held{created: time.Now()}
	with[i].Alias = alias
	err = m.ReplacePieces(ctx, metabase.SegmentPlace{Stream: s.Stream, Position: s.Position}, s.Pieces, with, time.Now())
	m.did("repair", err)
}

// apply has a node do what its filter says, however old that is.
func (m *model) apply() {
	for _, id := range slices.SortedFunc(maps.Keys(m.waiting), func(a, b netx.NodeID) int { return slices.Compare(a[:], b[:]) }) {
		if m.random.IntN(3) > 0 {
			continue
		}
		s := m.waiting[id]
		delete(m.waiting, id)
		bloom, err := filter.FromHeader(&s.header, s.bits)
		if err != nil {
			m.t.Error(err)
		}
		for piece, h := range m.held[id] {
			if !h.trashed && h.created.Before(s.header.Created) && !bloom.Contains(piece) {
				h.trashed = true
				m.trashed++
			}
		}
		m.check("after a filter was applied")
	}
}

// check has every piece that a segment names be on its node.
func (m *model) check(when string) {
	var at metabase.SegmentPlace
	for more := true; more; {
		page, next, again, err := m.SegmentPage(m.t.Context(), at, metainfo.StreamID{}, 1000)
		if err != nil {
			m.t.Error(err)
		}
		for _, s := range page {
			for _, p := range s.Pieces {
				node := m.nodes[p.Alias]
				if h := m.held[node][s.Root.Derive(node, p.Number)]; h == nil || h.trashed {
					m.t.Errorf("%s: live piece %d of stream %s is gone (%+v)", when, p.Number, s.Stream, h)
				}
			}
		}
		at, more = next, again
	}
}

// ReadPage is the loop's view of the database: things happen before and after each page.
func (m *model) ReadPage(ctx context.Context, from metabase.SegmentPlace, end metainfo.StreamID, limit int, page *metabase.PageBuffer) (
	next metabase.SegmentPlace, more bool, err error,
) {
	m.turn <- struct{}{}
	defer func() { <-m.turn }()
	for range m.random.IntN(3) {
		m.step()
	}
	next, more, err = m.DB.ReadPage(ctx, from, end, limit, page)
	for range m.random.IntN(3) {
		m.step()
	}
	return next, more, err
}

// TestNoLivePieceIsLost is the model test.
func TestNoLivePieceIsLost(t *testing.T) {
	t.Parallel()
	rounds, passes := 4, 60
	if testing.Short() {
		rounds, passes = 1, 30
	}
	for range rounds {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runModel(t, seed, passes) })
		})
	}
}

func runModel(t *testing.T, seed uint64, passes int) {
	m := newModel(t, seed)
	f := New(Options{DB: m, Every: -1})
	if err := f.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	loop := rangedloop.New(m, rangedloop.Options{Ranges: 2, Batch: 3})
	loop.Add("gc", f)
	filters := 0
	for range passes {
		for range 10 {
			m.step()
		}
		if report, err := loop.Pass(t.Context()); err == nil && report.Failed["gc"] != nil {
			t.Fatalf("gc did not finish: %v", report.Failed["gc"])
		}
		for id, s := range f.sealed {
			filters++
			m.waiting[id] = s
			delete(f.sealed, id)
		}
		time.Sleep(time.Duration(m.random.IntN(30)) * time.Hour)
	}
	m.check("at the end")
	if err := m.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if filters < passes || m.trashed < passes {
		t.Errorf("%d filters of %d passes, %d pieces trashed: the test tests nothing", filters, passes, m.trashed)
	}
	for _, what := range []string{"put", "copy", "move", "delete", "repair", "part", "end parts"} {
		if m.seen[what] == 0 {
			t.Errorf("no %s happened", what)
		}
	}
	t.Logf("%d filters, %d pieces trashed, %v", filters, m.trashed, m.seen)
}
