package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/roles/devnet"
	"storj/roles/storagenode"
	"storj/roles/uplink"
)

// required is how many pieces give a segment back at 4/6/8/10. A loaded machine may commit one with less than optimal.
const required = 4

// liar is a store that can answer with the bytes of one piece when asked for another.
type liar struct {
	*memstore.Store
	swap bool // set and read while nothing else runs
}

// Open implements pieces.Store.
func (l *liar) Open(ctx context.Context, satellite netx.NodeID, piece pieces.PieceID) (pieces.Reader, error) {
	other := piece
	if l.swap {
		sizes := map[pieces.PieceID]int64{}
		err := l.Pieces(ctx, satellite, func(info pieces.Info) error {
			sizes[info.Piece] = info.Size
			return nil
		})
		if err != nil {
			return nil, err
		}
		for id, size := range sizes {
			if id != piece && size == sizes[piece] {
				other = id
			}
		}
	}
	return l.Store.Open(ctx, satellite, other)
}

// alter changes a byte of every piece that the store holds.
func (l *liar) alter(t *testing.T, satellite netx.NodeID) {
	t.Helper()
	l.each(t, satellite, func(info pieces.Info) bool { return l.Alter(satellite, info.Piece, rand.Int64N(info.Size)) })
}

// lose forgets every piece.
func (l *liar) lose(t *testing.T, satellite netx.NodeID) {
	t.Helper()
	l.each(t, satellite, func(info pieces.Info) bool { return l.Lose(satellite, info.Piece) })
}

// each does something to every piece, which must be there.
func (l *liar) each(t *testing.T, satellite netx.NodeID, do func(info pieces.Info) bool) {
	t.Helper()
	var all []pieces.Info
	err := l.Pieces(t.Context(), satellite, func(info pieces.Info) error {
		all = append(all, info)
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d pieces, %v", len(all), err)
	}
	for _, info := range all {
		if !do(info) {
			t.Fatalf("piece %s is gone", info.Piece)
		}
	}
}

// TestLiars has up to four of the nodes of a segment alter, swap or lose what they hold, with correct checksums of their
// own: what is read is right all the same, and those who altered anything are named.
func TestLiars(t *testing.T) {
	t.Parallel()
	stores := make([]*liar, 10)
	for i := range stores {
		stores[i] = &liar{Store: memstore.New(memstore.Options{})}
	}
	n := start(t, devnet.Options{Nodes: len(stores), Redundancy: "4/6/8/10", Store: func(i int) pieces.Store { return stores[i] }})
	satellite := n.Satellite().URL().ID
	n.must("mb", "sj://lies")
	byID := map[string]*liar{}
	for i, store := range stores {
		byID[n.Node(i).ID().String()] = store
	}
	for _, test := range []struct {
		name   string
		size   int
		named  bool // liars are to be named
		do     func(l *liar)
		redeem func(l *liar)
	}{
		{"alter large", 20 << 20, true, func(l *liar) { l.alter(t, satellite) }, nil},
		{"alter small", 40 << 10, true, func(l *liar) { l.alter(t, satellite) }, nil},
		{"swap", 2 << 20, true, func(l *liar) { l.swap = true }, func(l *liar) { l.swap = false }},
		{"lose", 2 << 20, false, func(l *liar) { l.lose(t, satellite) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := randomFile(t, test.size, 40)
			content, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range []string{"one", "two"} { // two: something to swap with
				n.on(t).must("cp", source, "sj://lies/"+object)
			}
			project := n.project(t) // one that holds no grudge against liars of before
			held := holders(t, project, "lies", "one")
			liars := held[:min(tolerated, len(held)-required)]
			for _, id := range liars {
				test.do(byID[id])
			}
			got, stats, err := read(t.Context(), project, "lies", "one")
			if err != nil || !slices.Equal(got, content) {
				t.Fatalf("%d bytes of %d with %d liars, %v", len(got), len(content), len(liars), err)
			}
			t.Logf("asked %d nodes, hedged %d, retried %d, named %d", stats.NodesAsked, stats.Hedges, stats.Retries, len(stats.CorruptNodes))
			for _, id := range stats.CorruptNodes {
				if !slices.Contains(liars, id) || !test.named {
					t.Errorf("an honest node was named: %s", id)
				}
			}
			if test.named && len(stats.CorruptNodes) == 0 {
				t.Error("no liar was named")
			}
			n.on(t).same("sj://lies/one", source)
			for _, object := range []string{"one", "two"} {
				n.on(t).must("rm", "sj://lies/"+object)
			}
			if test.redeem != nil {
				for _, id := range liars {
					test.redeem(byID[id])
				}
			}
		})
	}
}

// holders returns who holds the first segment of an object, the data pieces first: downloads ask them first.
func holders(t *testing.T, project *uplink.Project, bucket, key string) (ids []string) {
	t.Helper()
	segments, err := project.Locations(t.Context(), bucket, key)
	if err != nil || len(segments) == 0 {
		t.Fatalf("locate: %d segments, %v", len(segments), err)
	}
	located := slices.SortedFunc(slices.Values(segments[0].Pieces), func(a, b uplink.PieceLocation) int { return a.Number - b.Number })
	for _, piece := range located {
		ids = append(ids, piece.NodeID)
	}
	return ids
}

// TestRot flips bytes in the files of four nodes, as a disk does: they find out by themselves, serve nothing of it, and
// what is stored comes from the others.
func TestRot(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and reads ten stores on disk")
	}
	t.Parallel()
	n := start(t, devnet.Options{Nodes: 10, Redundancy: "4/6/8/10"})
	project := n.project(t)
	source := randomFile(t, 6<<20, 41)
	small := randomFile(t, 30<<10, 42)
	n.must("mb", "sj://rot")
	n.must("cp", source, "sj://rot/large")
	n.must("cp", small, "sj://rot/small")
	held := holders(t, project, "rot", "large")
	rotten := held[:min(tolerated, len(held)-required)]
	var flipped []int
	for i := range 10 {
		if slices.Contains(rotten, n.Node(i).ID().String()) {
			flipped = append(flipped, i)
			rot(t, filepath.Join(n.dir, nodeName(i), "pieces", "logs"))
		}
	}
	for range 3 {
		n.same("sj://rot/large", source)
		n.same("sj://rot/small", small)
	}
	for i := range 10 {
		found, err := storagenode.Check(t.Context(), storagenode.CheckOptions{Dir: filepath.Join(n.dir, nodeName(i))})
		if err != nil {
			t.Fatal(err)
		}
		if found.OK() == slices.Contains(flipped, i) {
			t.Errorf("node %d, rotten %t: check finds %d damaged pieces and %d faults", i, !found.OK(), found.DamagedCount, found.FaultCount)
		}
	}
	_, stats, err := read(t.Context(), project, "rot", "large")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range stats.CorruptNodes {
		if !slices.Contains(rotten, id) {
			t.Errorf("a sound node was named: %s", id)
		}
	}
}

// rot flips a bit of every 20,000th byte of the logs in a directory.
func rot(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("logs in %s: %q, %v", dir, logs, err)
	}
	for _, path := range logs {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		const headerSize, step = 100, 20_000
		info, err := file.Stat()
		for at := int64(headerSize + 1); err == nil && at < info.Size(); at += step {
			var b [1]byte
			if _, err = file.ReadAt(b[:], at); err == nil {
				b[0] ^= 0x10
				_, err = file.WriteAt(b[:], at)
			}
		}
		if err = errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
