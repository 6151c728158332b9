package boltkv

import (
	"errors"
	"testing"

	"storj/metainfo/kv"
)

// TestBroken has a store whose last commit has an uncertain outcome: it is read, and written no more.
func TestBroken(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir()+"/kv", Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	put := func(tx kv.Tx) error { return tx.Put([]byte("k"), []byte("v")) }
	if err := s.Update(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	fault := errors.New("input/output error")
	if err := s.breakDown(fault); !errors.Is(err, kv.ErrUncertain) || !errors.Is(err, fault) {
		t.Errorf("error of the commit: %v", err)
	}
	if err := s.Update(t.Context(), put); !errors.Is(err, kv.ErrUncertain) {
		t.Errorf("update: %v", err)
	}
	err = s.View(t.Context(), func(tx kv.Tx) error {
		_, err := tx.Get([]byte("k"))
		return err
	})
	if err != nil {
		t.Errorf("view: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestCommitPanics has an assertion of bbolt fail within a commit: members are told, Close does not hang.
func TestCommitPanics(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), t.TempDir()+"/kv", Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(w kv.Tx) error {
		w.(*tx).bucket.Tx().OnCommit(func() { panic("assertion failed") })
		return w.Put([]byte("k"), nil)
	})
	if !errors.Is(err, kv.ErrUncertain) {
		t.Errorf("update: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
