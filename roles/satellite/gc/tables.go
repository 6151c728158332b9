package gc

import (
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// stateRow is how far filters are.
type stateRow struct {
	built time.Time // when the pass began that made the first of the last filters of all nodes
	next  metainfo.NodeAlias
	round time.Time // as built, of filters of which only some nodes' are made; zero: none
	// paused is until when the owner wants no filters.
	paused time.Time
}

// Fields codes the row for wire.
func (r *stateRow) Fields(c *wire.Codec) {
	next := uint32(r.next)
	c.Time(1, &r.built)
	c.Uint32(2, &next)
	c.Time(3, &r.round)
	c.Time(4, &r.paused)
	r.next = metainfo.NodeAlias(next)
}

type countRow struct{ pieces int64 }

// Fields codes the row for wire.
func (r *countRow) Fields(c *wire.Codec) { c.Int(1, &r.pieces) }

// stateTable has one row.
func stateTable() kv.Table[struct{}, stateRow, *stateRow] {
	return kv.NewTable[struct{}, stateRow]("z/gc/state", kv.KeyCodec[struct{}]{
		Append: func(dst []byte, _ struct{}) []byte { return dst },
		Parse:  func(b []byte) (k struct{}, ok bool) { return k, len(b) == 0 },
	})
}

func countTable() kv.Table[metainfo.NodeAlias, countRow, *countRow] {
	return kv.NewTable[metainfo.NodeAlias, countRow]("z/gc/count/", kv.KeyCodec[metainfo.NodeAlias]{
		Append: func(dst []byte, k metainfo.NodeAlias) []byte { return kv.AppendUint32(dst, uint32(k)) },
		Parse: func(b []byte) (metainfo.NodeAlias, bool) {
			if len(b) != 4 {
				return 0, false
			}
			return metainfo.NodeAlias(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])), true
		},
	})
}

func nodeTable() kv.Table[netx.NodeID, NodeStatus, *NodeStatus] {
	return kv.NewTable[netx.NodeID, NodeStatus]("z/gc/node/", kv.KeyCodec[netx.NodeID]{
		Append: func(dst []byte, k netx.NodeID) []byte { return append(dst, k[:]...) },
		Parse:  func(b []byte) (k netx.NodeID, ok bool) { return k, copy(k[:], b) == len(k) && len(b) == len(k) },
	})
}
