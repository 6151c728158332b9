package memkv_test

import (
	"encoding/binary"
	"testing"

	"storj/metainfo/kv"
	"storj/metainfo/kv/kvtest"
	"storj/metainfo/kv/memkv"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	kvtest.Run(t, func(*testing.T) kv.Store { return memkv.New(memkv.Options{}) })
}

func TestSuiteRunTwice(t *testing.T) {
	t.Parallel()
	kvtest.Run(t, func(*testing.T) kv.Store { return memkv.New(memkv.Options{RunTwice: true}) })
}

func BenchmarkPut(b *testing.B) {
	s := memkv.New(memkv.Options{})
	b.ReportAllocs()
	var n uint64
	for b.Loop() {
		n++
		key := binary.BigEndian.AppendUint64(nil, n*0x9e3779b97f4a7c15) // scattered
		if err := s.Update(b.Context(), func(tx kv.Tx) error { return tx.Put(key, key) }); err != nil {
			b.Fatal(err)
		}
	}
}
