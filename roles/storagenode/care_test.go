package storagenode

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeebo/blake3"

	"storj/ecenc/bao"
	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/filter"
	"storj/pieces/piececlient"
	"storj/roles/storagenode/bandwidth"
	"storj/roles/storagenode/contact/contacttest"
)

// pieceOf is the ID that world.upload gives a piece of so many bytes.
func pieceOf(size int) pieces.PieceID {
	return pieces.PieceID{byte(size), byte(size >> 8), byte(size >> 16), byte(size >> 24)}
}

func urlOf(n *Node) netx.NodeURL { return netx.NodeURL{ID: n.ID(), Address: n.Address()} }

// download reads length bytes of a piece that upload stored.
func (w *world) download(t *testing.T, sat *contacttest.Satellite, n *Node, size int, length int64) (pieces.SignedLimit, ed25519.PrivateKey, error) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	expires := now.Add(time.Hour).Truncate(time.Second)
	limit := pieces.OrderLimit{
		Satellite: sat.URL.ID, Node: n.ID(), Piece: pieceOf(size), Action: pieces.ActionGet, Limit: int64(size), Created: now,
		Expires: expires, Serial: pieces.NewSerialNumber(expires), UplinkKey: [32]byte(public),
	}
	signed := limit.Sign(sat.Key(n.ID(), sat.Snapshot().Epoch))
	return signed, private, w.downloadWith(t, n, signed, private, length)
}

func (w *world) downloadWith(t *testing.T, n *Node, signed pieces.SignedLimit, key ed25519.PrivateKey, length int64) error {
	t.Helper()
	r, err := piececlient.Open(t.Context(), w.uplink, piececlient.DownloadOptions{
		Node: urlOf(n), Limit: signed, Key: key, Length: length,
	})
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

// TestSettlement: orders survive a restart, are handed in when their window is over, and counted once although answers are
// lost.
func TestSettlement(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		n, stop := w.start(t, w.join)
		const size = 3 << 20
		if _, err := w.upload(t, w.sat, n, size); err != nil {
			t.Fatal(err)
		}
		signed, key, err := w.download(t, w.sat, n, size, size)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.download(t, w.sat, n, size, 5000); err != nil {
			t.Fatal(err)
		}
		stop()
		n, stop = w.start(t, nil)
		if err := w.downloadWith(t, n, signed, key, size); !errors.Is(err, pieces.ErrLimitUsed) {
			t.Errorf("limit used again after a restart: %v", err)
		}
		if s := n.Status().Satellites[0]; s.Orders != 2 || s.Ordered < size+5000 {
			t.Errorf("unsettled: %d orders, %d bytes", s.Orders, s.Ordered)
		}
		w.sat.Set(func(st *contacttest.State) { st.LoseSettles = 3 })
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		st := w.sat.Snapshot()
		if len(st.Settled) != 2 || len(st.Batches) != 1 || st.Settles != 4 {
			t.Errorf("%d orders in %d batches by %d requests", len(st.Settled), len(st.Batches), st.Settles)
		}
		for _, reply := range st.Batches {
			if reply.Accepted != 2 || reply.Rejected != 0 || reply.Bytes != size+5000 {
				t.Errorf("batch %+v", reply)
			}
		}
		if s := n.Status().Satellites[0]; s.Orders != 0 {
			t.Errorf("still unsettled: %+v", s)
		}
		usage, err := n.Usage("2000-01")
		if err != nil || len(usage.Days) != 1 {
			t.Fatalf("usage %+v, %v", usage, err)
		}
		if d := usage.Days[0]; d.Put != size || d.Get != size+5000 || d.Settled != size+5000 || d.ByteSeconds < size*9*3600 {
			t.Errorf("usage %+v", d)
		}
		stop()
	})
}

func TestProve(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		n, _ := w.start(t, w.join)
		const size = 200_000
		if _, err := w.upload(t, w.sat, n, size); err != nil {
			t.Fatal(err)
		}
		req := &pieces.ProveRequest{Piece: pieceOf(size), Offset: 100_000, Length: 32 << 10}
		reply, err := piececlient.Prove(t.Context(), w.sat.Pool(), urlOf(n), req)
		if err != nil {
			t.Fatal(err)
		}
		var proof pieces.Proof
		if err := wire.Unmarshal(reply.Proof, &proof); err != nil {
			t.Fatal(err)
		}
		limit, err := proof.Limit.Decode()
		if err != nil || !proof.Hash.Verify(limit.UplinkKey) || proof.Hash.Hash != blake3.Sum256(make([]byte, size)) {
			t.Errorf("proof %+v, %v", proof, err)
		}
		data, err := bao.Verify(proof.Hash.Hash, size, req.Offset, req.Length, reply.Slice)
		if err != nil || len(data) != int(req.Length) || reply.Size != size || reply.Trashed {
			t.Errorf("slice: %d bytes, %v", len(data), err)
		}
		tests := []struct {
			name string
			req  pieces.ProveRequest
			pool *rpc.Pool
			want error
		}{
			{"a stranger asks", *req, w.uplink, pieces.ErrUntrusted},
			{"unknown piece", pieces.ProveRequest{Piece: pieces.PieceID{9}, Length: 1}, w.sat.Pool(), pieces.ErrNotFound},
			{"nothing", pieces.ProveRequest{Piece: req.Piece}, w.sat.Pool(), pieces.ErrRange},
			{"too much", pieces.ProveRequest{Piece: req.Piece, Length: pieces.MaxSlice + 1}, w.sat.Pool(), pieces.ErrRange},
			{"past the end", pieces.ProveRequest{Piece: req.Piece, Offset: size, Length: 1}, w.sat.Pool(), pieces.ErrRange},
		}
		for _, test := range tests {
			if _, err := piececlient.Prove(t.Context(), test.pool, urlOf(n), &test.req); !errors.Is(err, test.want) {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		w.store.Alter(w.sat.URL.ID, req.Piece, 110_000)
		reply, err = piececlient.Prove(t.Context(), w.sat.Pool(), urlOf(n), req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bao.Verify(proof.Hash.Hash, size, req.Offset, req.Length, reply.Slice); !errors.Is(err, bao.ErrProof) {
			t.Errorf("proof of altered bytes: %v", err)
		}
		w.store.Damage(w.sat.URL.ID, req.Piece)
		if _, err := piececlient.Prove(t.Context(), w.sat.Pool(), urlOf(n), req); !errors.Is(err, pieces.ErrCorrupt) {
			t.Errorf("proof of a damaged piece: %v", err)
		}
		synctest.Wait()
		if got := w.sat.Snapshot().Damaged; len(got) != 1 || got[0] != req.Piece {
			t.Errorf("the satellite was told of %v", got)
		}
	})
}

// sendFilter sends a filter over the wire, as a satellite does.
func sendFilter(ctx context.Context, pool *rpc.Pool, node netx.NodeURL, f *filter.Filter, created time.Time) error {
	header := f.Header(created)
	st, err := pool.Open(ctx, node, netx.Control, pieces.MethodRetain, &header)
	if err != nil {
		return err
	}
	defer st.Cancel(netx.Cancelled)
	_, err = io.Copy(st, bytes.NewReader(f.Bits())) // a node that refuses stops reading: Response says why
	if err == nil {
		err = st.CloseWrite()
	}
	return errors.Join(st.Response(new(pieces.Empty), pieces.Errors()), nil)
}

func TestGarbage(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		n, _ := w.start(t, func(o *Options) { w.join(o); o.WatchEvery = 24 * time.Hour })
		for size := 1; size <= 20; size++ {
			if _, err := w.upload(t, w.sat, n, size); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		f := filter.New(10, 1, 0.0001)
		for size := 1; size <= 10; size++ {
			f.Add(pieceOf(size))
		}
		if err := sendFilter(t.Context(), w.uplink, urlOf(n), f, time.Now()); !errors.Is(err, pieces.ErrUntrusted) {
			t.Errorf("filter of a stranger: %v", err)
		}
		if err := sendFilter(t.Context(), w.sat.Pool(), urlOf(n), f, time.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s := n.Status().Satellites[0]
		if s.Pieces != 10 || s.TrashPieces != 10 || s.Garbage.Trashed != 10 || s.Garbage.Checked != 20 {
			t.Errorf("after the filter: %+v", s)
		}
		r, err := n.store.Open(t.Context(), w.sat.URL.ID, pieceOf(15))
		if err != nil || r.Info().Trashed.IsZero() {
			t.Fatalf("piece in the trash: %v", err)
		}
		reply := new(pieces.RestoreTrashReply)
		req := &pieces.RestoreTrashRequest{Since: time.Now().Add(-time.Minute)}
		if err := w.uplink.Call(t.Context(), urlOf(n), netx.Control, pieces.MethodRestoreTrash, req, reply, pieces.Errors()); !errors.Is(err, pieces.ErrUntrusted) {
			t.Errorf("restore by a stranger: %v", err)
		}
		if err := w.sat.Pool().Call(t.Context(), urlOf(n), netx.Control, pieces.MethodRestoreTrash, req, reply, pieces.Errors()); err != nil || reply.Pieces != 10 {
			t.Errorf("restored %d, %v", reply.Pieces, err)
		}
		if err := sendFilter(t.Context(), w.sat.Pool(), urlOf(n), f, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(trashKept + 3*choresEvery)
		if s := n.Status().Satellites[0]; s.Pieces != 10 || s.TrashPieces != 0 {
			t.Errorf("a week later: %+v", s)
		}
	})
}

func TestStandingAndExit(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		n, stop := w.start(t, func(opts *Options) { w.join(opts); opts.Tags = []string{"site=attic"} })
		if tags := w.sat.Snapshot().CheckIns[0].Tags; len(tags) != 1 || tags[0] != "site=attic" {
			t.Errorf("tags %v", tags)
		}
		if _, err := w.upload(t, w.sat, n, 1000); err != nil {
			t.Fatal(err)
		}
		sat := w.sat.URL.ID
		if err := n.exit(netx.NodeID{9}, false); !errors.Is(err, pieces.ErrUntrusted) {
			t.Errorf("leave a stranger: %v", err)
		}
		if err := n.exit(sat, false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		last := func() pieces.CheckIn { all := w.sat.Snapshot().CheckIns; return all[len(all)-1] }
		if !last().Exiting {
			t.Error("the satellite was not told")
		}
		stop()
		standing := pieces.Standing{State: pieces.Exiting, AuditScore: 0.5, PiecesLeft: 7, Reason: "x"}
		w.sat.Set(func(st *contacttest.State) { st.Standing = standing })
		n, _ = w.start(t, nil)
		if s := n.Status().Satellites[0]; s.Standing != standing || s.Exiting.IsZero() || !last().Exiting {
			t.Errorf("after a restart: %+v", s)
		}
		if err := n.exit(sat, true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if last().Exiting {
			t.Error("the satellite was not told that the node stays")
		}

		if err := n.forget(sat, false); !errors.Is(err, ErrNotExited) {
			t.Errorf("forget while pieces are needed: %v", err)
		}
		w.sat.Set(func(st *contacttest.State) { st.Standing.State = pieces.Exited })
		time.Sleep(2 * time.Hour)
		if err := n.forget(sat, false); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if usage := n.store.Usage(); len(usage) != 0 || len(n.contact.Forgotten()) != 0 || n.contact.Count() != 0 {
			t.Errorf("forgotten, but %v is stored", usage)
		}
		if _, err := w.upload(t, w.sat, n, 50); !errors.Is(err, pieces.ErrUntrusted) {
			t.Errorf("upload then: %v", err)
		}
		before := len(w.sat.Snapshot().CheckIns)
		time.Sleep(5 * time.Hour)
		if got := len(w.sat.Snapshot().CheckIns); got != before {
			t.Errorf("%d reports to a forgotten satellite", got-before)
		}
	})
}

// TestForgetGoesOn: a deletion that a restart interrupts is taken up again.
func TestForgetGoesOn(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		second := contacttest.Start(t, w.network, 2)
		n, stop := w.start(t, func(o *Options) { o.Join = []pieces.JoinToken{w.sat.Token(1), second.Token(1)} })
		for _, sat := range []*contacttest.Satellite{w.sat, second} {
			if _, err := w.upload(t, sat, n, 1000); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.contact.Forget(second.URL.ID); err != nil { // and no more: as a crash would have it
			t.Fatal(err)
		}
		stop()
		n, _ = w.start(t, nil)
		usage := n.store.Usage()
		if _, there := usage[second.URL.ID]; there || usage[w.sat.URL.ID].Pieces != 1 || len(n.contact.Forgotten()) != 0 {
			t.Errorf("stored %v, forgotten %v", usage, n.contact.Forgotten())
		}
	})
}

func TestScrubReports(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		w.sat.Set(func(st *contacttest.State) { st.DamageFails = true })
		n, stop := w.start(t, func(o *Options) { w.join(o); o.Scrub, o.WatchEvery = 30*24*time.Hour, 24*time.Hour })
		for size := 1; size <= 9; size++ {
			if _, err := w.upload(t, w.sat, n, size); err != nil {
				t.Fatal(err)
			}
		}
		w.store.Damage(w.sat.URL.ID, pieceOf(4))
		time.Sleep(31 * 24 * time.Hour)
		if s := n.Status().Scrub; s.Pending != 1 || s.LastFound != 1 || s.LastPieces != 9 {
			t.Errorf("satellite does not answer: %+v", s)
		}
		stop()
		w.sat.Set(func(st *contacttest.State) { st.DamageFails = false })
		n, _ = w.start(t, nil)
		if got := w.sat.Snapshot().Damaged; len(got) != 1 || got[0] != pieceOf(4) || n.Status().Scrub.Pending != 0 {
			t.Errorf("told of %v", got)
		}
	})
}

func TestBandwidth(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		const mb = 1_000_000
		n, stop := w.start(t, func(o *Options) { w.join(o); o.Bandwidth = bandwidth.Options{Rate: mb, Monthly: 100 * mb} })
		began := time.Now()
		if _, err := w.upload(t, w.sat, n, 40*mb); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 38*time.Second || took > 42*time.Second {
			t.Errorf("40 MB at 1 MB/s took %v", took)
		}
		if _, _, err := w.download(t, w.sat, n, 40*mb, 40*mb); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 78*time.Second || took > 84*time.Second {
			t.Errorf("80 MB at 1 MB/s took %v", took)
		}
		if _, err := w.upload(t, w.sat, n, 16*mb); err != nil {
			t.Fatal(err)
		}
		if _, err := w.upload(t, w.sat, n, 100); !errors.Is(err, netx.FromWire(netx.Exhausted, 180)) && netx.CodeOf(err) != netx.Exhausted {
			t.Errorf("upload past 95 MB: %v", err)
		}
		if report := n.report(); report.Free != 0 || !n.Status().Bandwidth.Full {
			t.Errorf("report %+v", report)
		}
		stop()
		n, _ = w.start(t, func(o *Options) { o.Bandwidth, o.WatchEvery = bandwidth.Options{Monthly: 100 * mb}, 24*time.Hour })
		if used := n.Status().Bandwidth.Used; used != 96*mb {
			t.Errorf("after a restart %d bytes are used", used)
		}
		if _, _, err := w.download(t, w.sat, n, 40*mb, 4*mb); err != nil {
			t.Errorf("download below the cap: %v", err)
		}
		synctest.Wait() // until the node has counted what it sent
		if _, _, err := w.download(t, w.sat, n, 40*mb, 1); netx.CodeOf(err) != netx.Exhausted {
			t.Errorf("download past the cap: %v", err)
		}
		time.Sleep(31 * 24 * time.Hour)
		if _, err := w.upload(t, w.sat, n, 100); err != nil {
			t.Errorf("upload in the next month: %v", err)
		}
	})
}

// TestQuietNode: a node that nobody asks for anything does little.
func TestQuietNode(t *testing.T) {
	bubble(t, plenty, func(t *testing.T, w *world) {
		n, _ := w.start(t, func(o *Options) {
			w.join(o)
			o.InMemory, o.WatchEvery, o.ChoresEvery, o.Scrub = true, 24*time.Hour, 24*time.Hour, 30*24*time.Hour
		})
		if _, err := w.upload(t, w.sat, n, 100); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * 24 * time.Hour)
		if s := n.Status(); s.Scrub.LastPieces != 1 || !s.Satellites[0].Reached {
			t.Errorf("two months later: %+v", s)
		}
		for _, name := range []string{usageDir, ordersDir, retainDir, "scrub.json"} {
			if files, err := filepath.Glob(filepath.Join(w.dir, name)); err != nil || len(files) != 0 {
				t.Errorf("kept on disk: %v", files)
			}
		}
	})
}
