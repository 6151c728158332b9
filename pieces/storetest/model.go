package storetest

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"storj/netx"
	"storj/pieces"
)

// modelKey names a piece of the model.
type modelKey struct {
	satellite netx.NodeID
	piece     pieces.PieceID
}

// model is a store and the map that says what must be in it.
type model struct {
	t       *testing.T
	subject Subject
	st      pieces.Store
	rng     *rand.Rand
	clock   int64 // seconds; only for trash and expiry dates
	want    map[modelKey]pieces.Info
}

// testModel runs random operations against a map. A failure prints the seed.
func testModel(t *testing.T, s Subject) {
	steps := 600
	if testing.Short() {
		steps = 200
	}
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	m := &model{
		t: t, subject: s, st: s.Open(t), rng: rand.New(rand.NewPCG(seed, 0)),
		clock: 4_000_000_000, want: map[modelKey]pieces.Info{},
	}
	defer func() { _ = m.st.Close() }()
	for range steps {
		m.clock += m.rng.Int64N(20_000)
		m.step()
	}
	m.compare()
}

func (m *model) step() {
	switch n := m.rng.IntN(100); {
	case n < 50:
		m.store()
	case n < 65:
		m.trash()
	case n < 70:
		m.restore()
	case n < 76:
		m.empty()
	case n < 81:
		m.expire()
	case n < 85:
		m.cancel()
	case n < 88 && m.subject.Reopen != nil:
		m.st = m.subject.Reopen(m.t, m.st)
	case n < 91:
		m.compare()
	default:
		m.read()
	}
}

// key picks one of few pieces, so that operations meet.
func (m *model) key() modelKey {
	return modelKey{Satellite(m.rng.IntN(3)), PieceID(m.rng.IntN(120))}
}

func (m *model) options(key modelKey) pieces.CreateOptions {
	opts := pieces.CreateOptions{Satellite: key.satellite, Piece: key.piece, Size: m.rng.Int64N(20_000)}
	if m.rng.IntN(4) == 0 {
		opts.Size = m.rng.Int64N(400_000)
	}
	if m.rng.IntN(3) == 0 {
		opts.Expires = time.Unix(m.clock+m.rng.Int64N(500_000), 0).UTC()
	}
	return opts
}

func (m *model) store() {
	key := m.key()
	opts := m.options(key)
	err := Store(m.t.Context(), m.st, opts, 1+m.rng.IntN(100_000))
	if _, known := m.want[key]; known {
		wantErr(m.t, "store again", err, pieces.ErrExists)
		return
	}
	if err != nil {
		m.t.Fatalf("store: %v", err)
	}
	m.want[key] = pieces.Info{Piece: key.piece, Size: opts.Size, Expires: opts.Expires}
}

func (m *model) cancel() {
	opts := m.options(m.key())
	w, err := m.st.Create(m.t.Context(), opts)
	if errors.Is(err, pieces.ErrExists) {
		return
	}
	if err != nil {
		m.t.Fatalf("create: %v", err)
	}
	_, _ = w.Write(make([]byte, m.rng.Int64N(opts.Size+1)))
	if err := w.Cancel(); err != nil {
		m.t.Fatalf("cancel: %v", err)
	}
}

func (m *model) trash() {
	sat := m.key().satellite
	var ids []pieces.PieceID
	for range m.rng.IntN(20) {
		ids = append(ids, m.key().piece)
	}
	at := time.Unix(m.clock, 0).UTC()
	if err := m.st.Trash(m.t.Context(), sat, ids, at); err != nil {
		m.t.Fatalf("trash: %v", err)
	}
	for _, id := range ids {
		if info, known := m.want[modelKey{sat, id}]; known && info.Trashed.IsZero() {
			info.Trashed = at
			m.want[modelKey{sat, id}] = info
		}
	}
}

func (m *model) past() time.Time { return time.Unix(m.clock-m.rng.Int64N(200_000), 0).UTC() }

func (m *model) restore() {
	sat, since := m.key().satellite, m.past()
	n, err := m.st.Restore(m.t.Context(), sat, since)
	var want int64
	for key, info := range m.want {
		if key.satellite == sat && !info.Trashed.IsZero() && !info.Trashed.Before(since) {
			info.Trashed = time.Time{}
			m.want[key] = info
			want++
		}
	}
	if n != want || err != nil {
		m.t.Fatalf("restore: %d, %v; want %d", n, err, want)
	}
}

func (m *model) empty() {
	sat, before := m.key().satellite, m.past()
	n, err := m.st.EmptyTrash(m.t.Context(), sat, before)
	size := len(m.want)
	maps.DeleteFunc(m.want, func(key modelKey, info pieces.Info) bool {
		return key.satellite == sat && !info.Trashed.IsZero() && info.Trashed.Before(before)
	})
	if want := int64(size - len(m.want)); n != want || err != nil {
		m.t.Fatalf("empty trash: %d, %v; want %d", n, err, want)
	}
}

func (m *model) expire() {
	now := time.Unix(m.clock, 0)
	n, err := m.st.DeleteExpired(m.t.Context(), now)
	size := len(m.want)
	maps.DeleteFunc(m.want, func(_ modelKey, info pieces.Info) bool {
		return !info.Expires.IsZero() && info.Expires.Before(now)
	})
	if want := int64(size - len(m.want)); n != want || err != nil {
		m.t.Fatalf("delete expired: %d, %v; want %d", n, err, want)
	}
}

func (m *model) read() {
	key := m.key()
	err := Verify(m.t.Context(), m.st, key.satellite, key.piece, m.want[key].Size)
	if _, known := m.want[key]; !known {
		wantErr(m.t, "read unknown", err, pieces.ErrNotFound)
	} else if err != nil {
		m.t.Fatalf("read: %v", err)
	}
}

// compare walks everything: lists, counters, bytes.
func (m *model) compare() {
	usage := map[netx.NodeID]pieces.Usage{}
	for key, info := range m.want {
		u := usage[key.satellite]
		if info.Trashed.IsZero() {
			u.Pieces++
			u.Bytes += info.Size
		} else {
			u.TrashPieces++
			u.TrashBytes += info.Size
		}
		usage[key.satellite] = u
	}
	if got := m.st.Usage(); !maps.Equal(got, usage) {
		m.t.Fatalf("usage: got %v, want %v", got, usage)
	}
	for n := range 3 {
		m.compareList(Satellite(n))
	}
	keys := slices.Collect(maps.Keys(m.want))
	for _, key := range keys {
		if err := Verify(m.t.Context(), m.st, key.satellite, key.piece, m.want[key].Size); err != nil {
			m.t.Fatalf("verify: %v", err)
		}
	}
	mustCheck(m.t, m.st, int64(len(m.want)))
}

func (m *model) compareList(sat netx.NodeID) {
	seen := map[pieces.PieceID]bool{}
	err := m.st.Pieces(m.t.Context(), sat, func(info pieces.Info) error {
		info.Created = time.Time{}
		if want, known := m.want[modelKey{sat, info.Piece}]; !known || info != want || seen[info.Piece] {
			m.t.Errorf("listed %+v, want %+v", info, want)
		}
		seen[info.Piece] = true
		return nil
	})
	for key := range m.want {
		if key.satellite == sat && !seen[key.piece] {
			m.t.Errorf("not listed: %v", m.want[key])
		}
	}
	if err != nil || m.t.Failed() {
		m.t.Fatalf("list: %v", err)
	}
}
