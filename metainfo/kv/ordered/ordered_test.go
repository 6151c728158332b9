package ordered_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"storj/metainfo/kv/ordered"
)

// state is a map beside what it should hold.
type state struct {
	got  ordered.Map[int]
	want map[string]int
}

func TestModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var history []state
	now := state{want: map[string]int{}}
	for i := range 5000 {
		key := fmt.Sprint(rnd.IntN(300))
		if rnd.IntN(3) == 0 {
			_, present := now.want[key]
			if deleted := now.got.Delete([]byte(key)); deleted != present {
				t.Fatalf("delete %s: %v, want %v", key, deleted, present)
			}
			delete(now.want, key)
		} else {
			now.got.Set([]byte(key), i)
			now.want[key] = i
		}
		if i%250 == 0 {
			history = append(history, state{now.got, maps.Clone(now.want)})
			now.got = now.got.Clone()
		}
	}
	for i, s := range append(history, now) {
		s.check(t, i)
	}
}

func (s state) check(t *testing.T, at int) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(s.want))
	if s.got.Len() != len(keys) {
		t.Fatalf("state %d has %d keys, want %d", at, s.got.Len(), len(keys))
	}
	for n := range 301 {
		key := fmt.Sprint(n)
		value, ok := s.got.Get([]byte(key))
		want, present := s.want[key]
		if value != want || ok != present {
			t.Fatalf("state %d: get %s = %d, %v; want %d, %v", at, key, value, ok, want, present)
		}
		i, _ := slices.BinarySearch(keys, key)
		above, below := i, i-1
		if present {
			above++
		}
		atMost := above - 1
		for bound, index := range map[ordered.Bound]int{
			ordered.AtLeast: i, ordered.Above: above, ordered.AtMost: atMost, ordered.Below: below,
		} {
			found, _, ok := s.got.Seek([]byte(key), bound)
			if inside := index >= 0 && index < len(keys); ok != inside || ok && string(found) != keys[index] {
				t.Fatalf("state %d: seek %s bound %d = %q, %v", at, key, bound, found, ok)
			}
		}
	}
	if last, _, ok := s.got.Last(); ok != (len(keys) > 0) || ok && string(last) != keys[len(keys)-1] {
		t.Fatalf("state %d: last %q", at, last)
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	var m ordered.Map[int]
	if _, _, ok := m.Last(); ok {
		t.Error("last of nothing")
	}
	if _, _, ok := m.Seek(nil, ordered.AtLeast); ok {
		t.Error("seek in nothing")
	}
	if m.Delete([]byte("a")) {
		t.Error("deleted from nothing")
	}
}

func BenchmarkSet100k(b *testing.B) {
	var m ordered.Map[int]
	keys := make([][]byte, 100_000)
	for i := range keys {
		keys[i] = fmt.Append(nil, rand.Uint64())
		m.Set(keys[i], i)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		c := m.Clone() // a transaction of one write
		c.Set(keys[n%len(keys)], n)
		m = c
	}
}
