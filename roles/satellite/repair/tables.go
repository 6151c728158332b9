package repair

import (
	"time"

	"storj/ecenc/wire"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/pieces"
)

type damageKey struct {
	node  netx.NodeID
	piece pieces.PieceID
}

// timeRow is when.
type timeRow struct{ at time.Time }

// Fields codes the row for wire.
func (r *timeRow) Fields(c *wire.Codec) { c.Time(1, &r.at) }

// exposureRow is how many node-days were observed.
type exposureRow struct {
	seconds int64 // of nodes that are not lost, added up
	until   time.Time
	losses  uint32 // nodes that were lost and did not come back, those included whose row is gone
}

// Fields codes the row for wire.
func (r *exposureRow) Fields(c *wire.Codec) {
	c.Int(1, &r.seconds)
	c.Time(2, &r.until)
	c.Uint32(3, &r.losses)
}

// rebalanceRow is the state of the rebalance.
type rebalanceRow struct {
	on       bool
	started  time.Time
	segments int64
	bytes    int64
}

// Fields codes the row for wire.
func (r *rebalanceRow) Fields(c *wire.Codec) {
	c.Bool(1, &r.on)
	c.Time(2, &r.started)
	c.Int(3, &r.segments)
	c.Int(4, &r.bytes)
}

func damageTable() kv.Table[damageKey, timeRow, *timeRow] {
	return kv.NewTable[damageKey, timeRow]("z/repair/damage/", kv.KeyCodec[damageKey]{
		Append: func(dst []byte, k damageKey) []byte { return append(append(dst, k.node[:]...), k.piece[:]...) },
		Parse: func(b []byte) (k damageKey, ok bool) {
			if b, ok = kv.CutFixed(b, k.node[:]); !ok {
				return k, false
			}
			b, ok = kv.CutFixed(b, k.piece[:])
			return k, ok && len(b) == 0
		},
	})
}

func lostTable() kv.Table[netx.NodeID, timeRow, *timeRow] {
	return kv.NewTable[netx.NodeID, timeRow]("z/repair/lost/", kv.KeyCodec[netx.NodeID]{
		Append: func(dst []byte, k netx.NodeID) []byte { return append(dst, k[:]...) },
		Parse: func(b []byte) (k netx.NodeID, ok bool) {
			b, ok = kv.CutFixed(b, k[:])
			return k, ok && len(b) == 0
		},
	})
}

// oneKey is the key of a table that has one row.
type oneKey struct{}

func oneCodec() kv.KeyCodec[oneKey] {
	return kv.KeyCodec[oneKey]{
		Append: func(dst []byte, _ oneKey) []byte { return dst },
		Parse:  func(b []byte) (oneKey, bool) { return oneKey{}, len(b) == 0 },
	}
}

func exposureTable() kv.Table[oneKey, exposureRow, *exposureRow] {
	return kv.NewTable[oneKey, exposureRow]("z/repair/exposure", oneCodec())
}

func rebalanceTable() kv.Table[oneKey, rebalanceRow, *rebalanceRow] {
	return kv.NewTable[oneKey, rebalanceRow]("z/repair/rebalance", oneCodec())
}
