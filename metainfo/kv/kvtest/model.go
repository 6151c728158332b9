package kvtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"storj/ecenc/wire"
	"storj/metainfo/kv"
)

// model is what a store should hold.
type model map[string]string

// testModel runs random transactions on the store and on a map, and compares after each.
func testModel(t *testing.T, s kv.Store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	rounds := 300
	if testing.Short() {
		rounds = 80
	}
	m := model{}
	for round := range rounds {
		next := maps.Clone(m)
		fails := rnd.IntN(4) == 0
		fault := errors.New("fault")
		ops := rnd.IntN(40)
		if rnd.IntN(20) == 0 {
			ops = 2000 // pages come and go
		}
		state := rnd.Uint64()
		err := s.Update(t.Context(), func(tx kv.Tx) error {
			next = maps.Clone(m)                     // the function may run again
			again := rand.New(rand.NewPCG(state, 1)) // and must do the same
			for range ops {
				if err := next.step(tx, again); err != nil {
					return err
				}
			}
			if fails {
				return fault
			}
			return nil
		})
		if fails != errors.Is(err, fault) || !fails && err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if !fails {
			m = next
		}
		if err := s.View(t.Context(), func(tx kv.Tx) error { return m.compare(tx, kv.Range{Reverse: round%2 == 1}) }); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// step does one random thing to both.
func (m model) step(tx kv.Tx, rnd *rand.Rand) error {
	key := randomKey(rnd)
	switch rnd.IntN(10) {
	case 0, 1, 2, 3, 4:
		value := bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(100))
		if rnd.IntN(50) == 0 {
			value = bytes.Repeat([]byte{1}, rnd.IntN(10_000))
		}
		m[string(key)] = string(value)
		return tx.Put(key, value)
	case 5, 6:
		delete(m, string(key))
		return tx.Delete(key)
	case 7: // a range: whole pages go
		if rnd.IntN(20) != 0 {
			return nil
		}
		return m.deleteRange(tx, randomRange(rnd))
	case 8:
		if rnd.IntN(20) != 0 {
			return nil
		}
		return m.compare(tx, randomRange(rnd))
	default:
		got, err := tx.Get(key)
		want, ok := m[string(key)]
		if ok != (err == nil) || string(got) != want {
			return fmt.Errorf("get %x: %x, %w; want %x, %v", key, got, err, want, ok)
		}
		return nil
	}
}

func (m model) deleteRange(tx kv.Tx, r kv.Range) error {
	return kv.Scan(tx, r, func(key, _ []byte) (bool, error) {
		delete(m, string(key))
		return true, tx.Delete(key)
	})
}

// compare walks r in both.
func (m model) compare(tx kv.Tx, r kv.Range) error {
	var want []string
	for key := range m {
		if r.Contains([]byte(key)) {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	if r.Reverse {
		slices.Reverse(want)
	}
	i := 0
	err := kv.Scan(tx, r, func(key, value []byte) (bool, error) {
		if i == len(want) || string(key) != want[i] || string(value) != m[want[i]] {
			return false, fmt.Errorf("row %d of %+v is %x, want %d rows", i, r, key, len(want))
		}
		i++
		return true, nil
	})
	if err == nil && i != len(want) {
		err = fmt.Errorf("scan of %+v has %d rows, want %d", r, i, len(want))
	}
	return err
}

func randomKey(rnd *rand.Rand) []byte {
	return fmt.Appendf(nil, "key %0*d", 1+rnd.IntN(4), rnd.IntN(2000))
}

func randomRange(rnd *rand.Rand) kv.Range {
	r := kv.Range{Reverse: rnd.IntN(2) == 0}
	if rnd.IntN(3) > 0 {
		r.Start = randomKey(rnd)
	}
	if rnd.IntN(3) > 0 {
		r.End = randomKey(rnd)
	}
	return r
}

// row and its table try what metabase does with an engine.
type row struct {
	Name string
	Data []byte
}

func (r *row) Fields(c *wire.Codec) {
	c.String(1, &r.Name, 100)
	c.Bytes(2, &r.Data, 100)
}

type rowKey struct {
	group string
	n     uint64
}

func testTable(t *testing.T, s kv.Store) {
	table := kv.NewTable[rowKey, row]("rows/", kv.KeyCodec[rowKey]{
		Append: func(dst []byte, k rowKey) []byte { return kv.AppendUint64(kv.AppendText(dst, k.group), k.n) },
		Parse: func(b []byte) (k rowKey, ok bool) {
			group, b, ok := kv.CutText(b)
			if !ok {
				return k, false
			}
			k.group = string(group)
			k.n, b, ok = kv.CutUint64(b)
			return k, ok && len(b) == 0
		},
	})
	put(t, s, "rows.", "before", "rows0", "behind", "rows/broken", "x")
	var kept []row
	err := s.Update(t.Context(), func(tx kv.Tx) error {
		for _, group := range []string{"b", "a", "a\x00", ""} {
			for n := range uint64(3) {
				r := row{Name: fmt.Sprint(group, n), Data: []byte{byte(n)}}
				if err := table.Put(tx, rowKey{group, n}, &r); err != nil {
					return err
				}
			}
		}
		return tx.Delete([]byte("rows/broken"))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx kv.Tx) error {
		if _, err := table.Get(tx, rowKey{"c", 0}); !errors.Is(err, kv.ErrNotFound) {
			t.Errorf("absent row: %v", err)
		}
		if ok, err := table.Has(tx, rowKey{"a", 1}); !ok || err != nil {
			t.Errorf("has: %v, %v", ok, err)
		}
		var last rowKey
		if err := table.Scan(tx, table.All(), func(k rowKey, r *row) (bool, error) {
			if len(kept) > 0 && cmp.Or(strings.Compare(k.group, last.group), cmp.Compare(k.n, last.n)) <= 0 {
				t.Errorf("%v after %v", k, last)
			}
			last = k
			kept = append(kept, *r)
			return true, nil
		}); err != nil {
			return err
		}
		rows := table.Rows(tx, table.Prefix(kv.AppendText(nil, "a")))
		defer rows.Close()
		if !rows.Seek(table.Key(nil, rowKey{"a", 2})) {
			t.Error("seek found nothing")
		}
		k, err := rows.RowKey()
		if err != nil || k != (rowKey{"a", 2}) {
			t.Errorf("row key: %v, %v", k, err)
		}
		if r, err := rows.Row(); err != nil || r.Name != "a2" {
			t.Errorf("row: %v, %v", r, err)
		}
		if rows.Next() {
			t.Error("prefix range runs into the next group")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 12 || kept[0].Name != "0" || kept[11].Name != "b2" || !bytes.Equal(kept[11].Data, []byte{2}) {
		t.Errorf("rows after the transaction: %v", kept)
	}
	put(t, s, "rows/zzz", "")
	err = s.View(t.Context(), func(tx kv.Tx) error {
		return table.Scan(tx, table.All(), func(rowKey, *row) (bool, error) { return true, nil })
	})
	if !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("damaged key: %v", err)
	}
}
