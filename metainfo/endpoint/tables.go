package endpoint

import (
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
)

// usageRow is what a project was known to use when the process last wrote it down.
type usageRow struct {
	month   int64 // of egress: year*12 + month, UTC
	egress  int64 // bytes
	totals  totals
	tallied time.Time // when totals were counted; zero: never
}

// Fields codes the row for wire.
func (r *usageRow) Fields(c *wire.Codec) {
	c.Int(1, &r.month)
	c.Int(2, &r.egress)
	c.Int(3, &r.totals.storage)
	c.Int(4, &r.totals.objects)
	c.Int(5, &r.totals.segments)
	c.Time(6, &r.tallied)
}

func usageTable() kv.Table[metainfo.ProjectID, usageRow, *usageRow] {
	return kv.NewTable[metainfo.ProjectID, usageRow]("z/usage/", kv.KeyCodec[metainfo.ProjectID]{
		Append: func(dst []byte, k metainfo.ProjectID) []byte { return append(dst, k[:]...) },
		Parse: func(b []byte) (k metainfo.ProjectID, ok bool) {
			return k, copy(k[:], b) == len(k) && len(b) == len(k)
		},
	})
}
