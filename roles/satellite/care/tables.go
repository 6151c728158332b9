package care

import (
	"time"

	"storj/ecenc/wire"
	"storj/metainfo/kv"
	"storj/netx"
)

// restoredRow is the snapshot that the database was restored from.
type restoredRow struct{ snapshot, restored time.Time }

// Fields codes the row for wire.
func (r *restoredRow) Fields(c *wire.Codec) {
	c.Time(1, &r.snapshot)
	c.Time(2, &r.restored)
}

// revivedRow is a node that has revived its trash.
type revivedRow struct {
	at     time.Time
	pieces int64
}

// Fields codes the row for wire.
func (r *revivedRow) Fields(c *wire.Codec) {
	c.Time(1, &r.at)
	c.Int(2, &r.pieces)
}

// clockRow is the last time seen.
type clockRow struct{ seen time.Time }

// Fields codes the row for wire.
func (r *clockRow) Fields(c *wire.Codec) { c.Time(1, &r.seen) }

// backupRow is the last scheduled backup that was whole.
type backupRow struct {
	at    time.Time
	bytes int64
	rows  int64
}

// Fields codes the row for wire.
func (r *backupRow) Fields(c *wire.Codec) {
	c.Time(1, &r.at)
	c.Int(2, &r.bytes)
	c.Int(3, &r.rows)
}

// one is the key of a table that has one row.
func one() kv.KeyCodec[struct{}] {
	return kv.KeyCodec[struct{}]{
		Append: func(dst []byte, _ struct{}) []byte { return dst },
		Parse:  func(b []byte) (k struct{}, ok bool) { return k, len(b) == 0 },
	}
}

func restoredTable() kv.Table[struct{}, restoredRow, *restoredRow] {
	return kv.NewTable[struct{}, restoredRow]("z/care/restored", one())
}

func clockTable() kv.Table[struct{}, clockRow, *clockRow] {
	return kv.NewTable[struct{}, clockRow]("z/care/clock", one())
}

func backupTable() kv.Table[struct{}, backupRow, *backupRow] {
	return kv.NewTable[struct{}, backupRow]("z/care/backup", one())
}

func revivedTable() kv.Table[netx.NodeID, revivedRow, *revivedRow] {
	return kv.NewTable[netx.NodeID, revivedRow]("z/care/revived/", kv.KeyCodec[netx.NodeID]{
		Append: func(dst []byte, k netx.NodeID) []byte { return append(dst, k[:]...) },
		Parse:  func(b []byte) (k netx.NodeID, ok bool) { return k, copy(k[:], b) == len(k) && len(b) == len(k) },
	})
}
