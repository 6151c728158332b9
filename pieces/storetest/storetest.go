package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"storj/netx"
	"storj/pieces"
)

// Capacity is what an empty store under test must offer, in bytes, give or take 8 MiB.
const Capacity = 256 << 20

// Subject is a store under test.
type Subject struct {
	// Open returns an empty store. The suite closes it.
	Open func(t *testing.T) pieces.Store
	// Reopen closes a store and opens what it left. Nil: the store does not outlive its process.
	Reopen func(t *testing.T, st pieces.Store) pieces.Store
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	tests := []struct {
		name string
		run  func(*testing.T, pieces.Store)
	}{
		{"round trip", testRoundTrip},
		{"ranges", testRanges},
		{"writer rules", testWriterRules},
		{"create rules", testCreateRules},
		{"same piece twice", testTwice},
		{"space", testSpace},
		{"trash", testTrash},
		{"expiry", testExpiry},
		{"deleted while open", testDeletedWhileOpen},
		{"list", testList},
		{"concurrent", testConcurrent},
		{"scrub", testScrub},
		{"close", testClose},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			st := s.Open(t)
			t.Cleanup(func() { _ = st.Close() })
			test.run(t, st)
		})
	}
	t.Run("model", func(t *testing.T) { t.Parallel(); testModel(t, s) })
}

// Satellite returns the n-th satellite of a test.
func Satellite(n int) (id netx.NodeID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)+1)
	return id
}

// PieceID returns the n-th piece ID of a test; equal numbers give equal IDs.
func PieceID(n int) pieces.PieceID {
	var root pieces.PieceID
	return root.Derive(netx.NodeID{}, n)
}

// Body returns the content of a piece: size bytes that follow from its ID.
func Body(id pieces.PieceID, size int64) []byte {
	body := make([]byte, size)
	_, _ = rand.NewChaCha8(id).Read(body) // never fails
	return body
}

// Proof returns the proof that the suite stores with a piece.
func Proof(id pieces.PieceID) []byte { return append([]byte("proof of "), id[:int(id[0])%len(id)]...) }

// Store stores the piece with Body and Proof, in writes of chunk bytes.
func Store(ctx context.Context, st pieces.Store, opts pieces.CreateOptions, chunk int) error {
	w, err := st.Create(ctx, opts)
	if err != nil {
		return err
	}
	body := Body(opts.Piece, opts.Size)
	for len(body) > 0 {
		n := min(chunk, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			return errors.Join(err, w.Cancel())
		}
		body = body[n:]
	}
	return w.Commit(ctx, Proof(opts.Piece))
}

// Verify reads the piece and compares bytes, proof and size with what Store wrote.
func Verify(ctx context.Context, st pieces.Store, satellite netx.NodeID, id pieces.PieceID, size int64) error {
	r, err := st.Open(ctx, satellite, id)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // best effort: read only
	if got := r.Info().Size; got != size || r.Info().Piece != id {
		return errors.New("info does not describe the piece")
	}
	body, err := io.ReadAll(io.NewSectionReader(r, 0, size+1))
	if err != nil {
		return err
	}
	if !bytes.Equal(body, Body(id, size)) {
		return errors.New("bytes differ from those that were stored")
	}
	proof, err := r.Proof()
	if err != nil {
		return err
	}
	if !bytes.Equal(proof, Proof(id)) {
		return errors.New("proof differs from the one that was stored")
	}
	return nil
}

func mustStore(t *testing.T, st pieces.Store, opts pieces.CreateOptions) {
	t.Helper()
	if err := Store(t.Context(), st, opts, 64<<10); err != nil {
		t.Fatalf("store %d bytes: %v", opts.Size, err)
	}
}

func mustVerify(t *testing.T, st pieces.Store, satellite netx.NodeID, id pieces.PieceID, size int64) {
	t.Helper()
	if err := Verify(t.Context(), st, satellite, id, size); err != nil {
		t.Fatalf("verify %d bytes: %v", size, err)
	}
}

func mustCheck(t *testing.T, st pieces.Store, count int64) {
	t.Helper()
	report, err := st.Check(t.Context())
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	if !report.OK() || report.Pieces != count {
		t.Fatalf("check of %d pieces: %+v", count, report)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

func wantUsage(t *testing.T, st pieces.Store, satellite netx.NodeID, want pieces.Usage) {
	t.Helper()
	if got := st.Usage()[satellite]; got != want {
		t.Fatalf("usage: got %+v, want %+v", got, want)
	}
}

// second rounds as a store may.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
