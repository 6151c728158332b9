package kvtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"storj/metainfo/kv"
)

// Run checks that the stores which open makes keep the promises of package kv. open makes an empty store each time;
// Run closes it.
func Run(t *testing.T, open func(t *testing.T) kv.Store) {
	tests := []struct {
		name string
		run  func(t *testing.T, s kv.Store)
	}{
		{"create read update delete", testCRUD},
		{"empty and large values", testSizes},
		{"limits", testLimits},
		{"scan bounds", testScanBounds},
		{"cursor seek", testCursorSeek},
		{"cursor sees own writes", testCursorOwnWrites},
		{"read only", testReadOnly},
		{"used after its end", testDone},
		{"failed function leaves nothing", testFailed},
		{"snapshot", testSnapshot},
		{"counters", testCounters},
		{"concurrent failures", testConcurrentFailures},
		{"write skew", testWriteSkew},
		{"cancelled while queued", testCancelQueued},
		{"ended before start", testCancelledBefore},
		{"closed", testClosed},
		{"format", testFormat},
		{"table", testTable},
		{"model", testModel},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			test.run(t, s)
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("close again: %v", err)
			}
		})
	}
}

func put(t *testing.T, s kv.Store, pairs ...string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx kv.Tx) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := tx.Put([]byte(pairs[i]), []byte(pairs[i+1])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("put: %v", err)
	}
}

// get returns the value of key, "<none>" if absent.
func get(t *testing.T, s kv.Store, key string) (value string) {
	t.Helper()
	err := s.View(t.Context(), func(tx kv.Tx) error {
		b, err := tx.Get([]byte(key))
		value = string(b)
		if errors.Is(err, kv.ErrNotFound) {
			value, err = "<none>", nil
		}
		return err
	})
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return value
}

// keys lists the keys of r, joined.
func keys(tx kv.Tx, r kv.Range) (string, error) {
	var list []string
	err := kv.Scan(tx, r, func(key, _ []byte) (bool, error) {
		list = append(list, string(key))
		return true, nil
	})
	return strings.Join(list, " "), err
}

func testCRUD(t *testing.T, s kv.Store) {
	steps := []struct{ key, value, want string }{
		{"a", "1", "1"},
		{"a", "2", "2"},
		{"b", "", ""},
		{"\x00\xff", "odd", "odd"},
	}
	for _, step := range steps {
		put(t, s, step.key, step.value)
		if got := get(t, s, step.key); got != step.want {
			t.Errorf("get %q = %q, want %q", step.key, got, step.want)
		}
	}
	for range 2 { // deleting what is absent is no error
		if err := s.Update(t.Context(), func(tx kv.Tx) error { return tx.Delete([]byte("a")) }); err != nil {
			t.Fatalf("delete: %v", err)
		}
		if got := get(t, s, "a"); got != "<none>" {
			t.Errorf("after delete: %q", got)
		}
	}
	if got := get(t, s, "b"); got != "" {
		t.Errorf("neighbour: %q", got)
	}
	if st := s.Stats(); st.Updates == 0 || st.Commits == 0 || st.SizeBytes == 0 {
		t.Errorf("stats count nothing: %+v", st)
	}
}

func testSizes(t *testing.T, s kv.Store) {
	for _, size := range []int{0, 1, 100, 4095, 4096, 4097, 70_000, kv.MaxValueSize} {
		key, value := fmt.Sprintf("key %d", size), bytes.Repeat([]byte{byte(size), 0xa5}, size/2+1)[:size]
		put(t, s, key, string(value))
		if got := get(t, s, key); got != string(value) {
			t.Errorf("value of %d bytes came back as %d other bytes", size, len(got))
		}
	}
	long := strings.Repeat("k", kv.MaxKeySize)
	put(t, s, long, "v")
	if got := get(t, s, long); got != "v" {
		t.Errorf("longest key: %q", got)
	}
}

func testLimits(t *testing.T, s kv.Store) {
	tests := []struct {
		name       string
		key, value []byte
		times      int
		want       error
	}{
		{"empty key", nil, []byte("v"), 1, kv.ErrEmptyKey},
		{"key", make([]byte, kv.MaxKeySize+1), nil, 1, kv.ErrTooLarge},
		{"value", []byte("k"), make([]byte, kv.MaxValueSize+1), 1, kv.ErrTooLarge},
		{"transaction", []byte("k"), make([]byte, kv.MaxValueSize), kv.MaxTxSize/kv.MaxValueSize + 1, kv.ErrTooLarge},
	}
	for _, test := range tests {
		err := s.Update(t.Context(), func(tx kv.Tx) error {
			for range test.times {
				if err := tx.Put(test.key, test.value); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if got := get(t, s, "k"); got != "<none>" {
		t.Error("a refused transaction left something")
	}
}

func testScanBounds(t *testing.T, s kv.Store) {
	tests := []struct {
		name string
		r    kv.Range
		want string
	}{
		{"all", kv.Range{}, "a b ba bb c d"},
		{"all back", kv.Range{Reverse: true}, "d c bb ba b a"},
		{"from", kv.Range{Start: []byte("bb")}, "bb c d"},
		{"from between", kv.Range{Start: []byte("b\xff")}, "c d"},
		{"to", kv.Range{End: []byte("bb")}, "a b ba"},
		{"to back", kv.Range{End: []byte("bb"), Reverse: true}, "ba b a"},
		{"to between back", kv.Range{End: []byte("bz"), Reverse: true}, "bb ba b a"},
		{"from to back", kv.Range{Start: []byte("b"), End: []byte("d"), Reverse: true}, "c bb ba b"},
		{"empty", kv.Range{Start: []byte("bb"), End: []byte("bb")}, ""},
		{"inverted", kv.Range{Start: []byte("c"), End: []byte("a")}, ""},
		{"inverted back", kv.Range{Start: []byte("c"), End: []byte("a"), Reverse: true}, ""},
		{"behind", kv.Range{Start: []byte("x")}, ""},
		{"behind back", kv.Range{Start: []byte("x"), Reverse: true}, ""},
		{"before back", kv.Range{End: []byte("a"), Reverse: true}, ""},
		{"prefix", kv.Prefix([]byte("b")), "b ba bb"},
		{"prefix of none", kv.Prefix([]byte("bc")), ""},
	}
	check := func(tx kv.Tx) error {
		for _, test := range tests {
			if got, err := keys(tx, test.r); err != nil || got != test.want {
				t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.want)
			}
		}
		return nil
	}
	empty := func(tx kv.Tx) error {
		for _, test := range tests {
			if got, err := keys(tx, test.r); err != nil || got != "" {
				t.Errorf("%s in an empty store: %q, %v", test.name, got, err)
			}
		}
		return nil
	}
	if err := s.View(t.Context(), empty); err != nil {
		t.Fatal(err)
	}
	put(t, s, "b", "", "bb", "", "d", "", "dead", "")
	err := s.Update(t.Context(), func(tx kv.Tx) error { // half stored, half written here
		for _, key := range []string{"c", "a", "ba"} {
			if err := tx.Put([]byte(key), []byte("v")); err != nil {
				return err
			}
		}
		if err := tx.Delete([]byte("dead")); err != nil {
			return err
		}
		return check(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.View(t.Context(), check); err != nil {
		t.Fatal(err)
	}
	stopped := 0
	err = s.View(t.Context(), func(tx kv.Tx) error {
		return kv.Scan(tx, kv.Range{}, func(_, _ []byte) (bool, error) {
			stopped++
			return stopped < 2, nil
		})
	})
	if err != nil || stopped != 2 {
		t.Errorf("scan stopped after %d, %v; want 2", stopped, err)
	}
	fault := errors.New("fault")
	err = s.View(t.Context(), func(tx kv.Tx) error {
		return kv.Scan(tx, kv.Range{}, func(_, _ []byte) (bool, error) { return true, fault })
	})
	if !errors.Is(err, fault) {
		t.Errorf("scan: %v, want the function's error", err)
	}
}

func testCursorSeek(t *testing.T, s kv.Store) {
	put(t, s, "b", "1", "d", "2", "f", "3", "h", "4")
	tests := []struct {
		name string
		r    kv.Range
		seek []string // "" is Next
		want string
	}{
		{"forth and back", kv.Range{}, []string{"c", "f", "b", ""}, "d f b d"},
		{"next first", kv.Range{}, []string{"", ""}, "b d"},
		{"past the end", kv.Range{}, []string{"i", "", "h"}, "- - h"},
		{"clamped to start", kv.Range{Start: []byte("c")}, []string{"a", ""}, "d f"},
		{"clamped to end", kv.Range{End: []byte("f")}, []string{"e", "d", ""}, "- d -"},
		{"reverse", kv.Range{Reverse: true}, []string{"e", "", "", "h"}, "d b - h"},
		{"reverse exact", kv.Range{Reverse: true}, []string{"f", ""}, "f d"},
		{"reverse clamped to end", kv.Range{End: []byte("f"), Reverse: true}, []string{"z", "f"}, "d d"},
		{"reverse before start", kv.Range{Start: []byte("c"), Reverse: true}, []string{"c", "a", "d", ""}, "- - d -"},
		{"reverse before all", kv.Range{Reverse: true}, []string{"a"}, "-"},
		{"reverse past all", kv.Range{Reverse: true}, []string{"z", ""}, "h f"},
	}
	err := s.View(t.Context(), func(tx kv.Tx) error {
		for _, test := range tests {
			c := tx.Cursor(test.r)
			var got []string
			for _, key := range test.seek {
				ok := false
				if key == "" {
					ok = c.Next()
				} else {
					ok = c.Seek([]byte(key))
				}
				if ok {
					got = append(got, string(c.Key()))
				} else {
					got = append(got, "-")
				}
			}
			if joined := strings.Join(got, " "); joined != test.want || c.Err() != nil {
				t.Errorf("%s: %s, %v; want %s", test.name, joined, c.Err(), test.want)
			}
			c.Close()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testCursorOwnWrites(t *testing.T, s kv.Store) {
	put(t, s, "b", "1", "d", "2", "f", "3")
	for _, reverse := range []bool{false, true} {
		var got []string
		fault := errors.New("leave nothing")
		err := s.Update(t.Context(), func(tx kv.Tx) error {
			got = nil
			c := tx.Cursor(kv.Range{Reverse: reverse})
			defer c.Close()
			for c.Next() {
				got = append(got, string(c.Key())+string(c.Value()))
				if string(c.Key()) == "d" { // ahead in both directions: one removed, one changed, one new
					return errors.Join(fault, tail(tx, c, reverse, &got))
				}
				if err := tx.Delete(c.Key()); err != nil { // behind
					return err
				}
			}
			return c.Err()
		})
		want := []string{"b1", "d2", "e9", "f8", "g7"}
		if reverse {
			want = []string{"f3", "d2", "c9", "b8", "a7"}
		}
		if !errors.Is(err, fault) || !slices.Equal(got, want) {
			t.Errorf("reverse %v: %v, %v; want %v", reverse, got, err, want)
		}
	}
}

func tail(tx kv.Tx, c kv.Cursor, reverse bool, got *[]string) error {
	writes := [3]string{"e", "f", "g"}
	if reverse {
		writes = [3]string{"c", "b", "a"}
	}
	for i, key := range writes {
		if err := tx.Put([]byte(key), []byte{byte('9' - i)}); err != nil {
			return err
		}
	}
	for c.Next() {
		*got = append(*got, string(c.Key())+string(c.Value()))
	}
	return c.Err()
}

func testReadOnly(t *testing.T, s kv.Store) {
	err := s.View(t.Context(), func(tx kv.Tx) error {
		if err := tx.Put([]byte("k"), nil); !errors.Is(err, kv.ErrReadOnly) {
			t.Errorf("put in a view: %v", err)
		}
		if err := tx.Delete([]byte("k")); !errors.Is(err, kv.ErrReadOnly) {
			t.Errorf("delete in a view: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func testDone(t *testing.T, s kv.Store) {
	put(t, s, "k", "v")
	for name, run := range map[string]func(context.Context, func(kv.Tx) error) error{"view": s.View, "update": s.Update} {
		var leaked kv.Tx
		var cursor kv.Cursor
		err := run(t.Context(), func(tx kv.Tx) error {
			leaked, cursor = tx, tx.Cursor(kv.Range{})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = leaked.Get([]byte("k"))
		if !errors.Is(err, kv.ErrTxDone) {
			t.Errorf("get after %s: %v", name, err)
		}
		if err := leaked.Put([]byte("k"), nil); !errors.Is(err, kv.ErrTxDone) {
			t.Errorf("put after %s: %v", name, err)
		}
		if cursor.Next() || !errors.Is(cursor.Err(), kv.ErrTxDone) {
			t.Errorf("cursor after %s: %v", name, cursor.Err())
		}
	}
}

func testFormat(t *testing.T, s kv.Store) {
	tests := []struct {
		name       string
		want, have kv.Format
		err        error
	}{
		{"empty store", kv.Format{Name: "x", Version: 2}, kv.Format{Name: "x", Version: 2}, nil},
		{"again", kv.Format{Name: "x", Version: 2}, kv.Format{Name: "x", Version: 2}, nil},
		{"older is told", kv.Format{Name: "x", Version: 3}, kv.Format{Name: "x", Version: 2}, nil},
		{"newer is refused", kv.Format{Name: "x", Version: 1}, kv.Format{Name: "x", Version: 2}, kv.ErrNewer},
		{"other is refused", kv.Format{Name: "y", Version: 2}, kv.Format{Name: "x", Version: 2}, kv.ErrFormat},
	}
	for _, test := range tests {
		if have, err := kv.Claim(t.Context(), s, test.want); have != test.have || !errors.Is(err, test.err) {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, have, err, test.have, test.err)
		}
	}
	err := s.Update(t.Context(), func(tx kv.Tx) error { return tx.Put([]byte("\x00format"), []byte{0xff}) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Claim(t.Context(), s, kv.Format{Name: "x", Version: 1}); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("damaged format: %v", err)
	}
}

func decode(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
