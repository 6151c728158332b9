package reputation

import (
	"math"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo/kv"
	"storj/netx"
)

// table is the rows by node.
func table() kv.Table[netx.NodeID, record, *record] {
	return kv.NewTable[netx.NodeID, record]("z/reputation/", kv.KeyCodec[netx.NodeID]{
		Append: func(dst []byte, k netx.NodeID) []byte { return append(dst, k[:]...) },
		Parse: func(b []byte) (k netx.NodeID, ok bool) {
			return k, copy(k[:], b) == len(k) && len(b) == len(k)
		},
	})
}

// Fields codes the row. Field numbers are never used twice.
func (r *record) Fields(c *wire.Codec) {
	codeFloat(c, 1, &r.audit.alpha)
	codeFloat(c, 2, &r.audit.beta)
	codeFloat(c, 3, &r.unknown.alpha)
	codeFloat(c, 4, &r.unknown.beta)
	c.Uint(5, &r.audits)
	c.Uint(6, &r.failures)
	c.Uint32(7, &r.watch)
	c.Time(8, &r.first)
	c.Time(9, &r.disqualified)
	c.Time(10, &r.quarantined)
	c.Time(11, &r.suspended)
	c.Time(12, &r.offline)
	c.Time(13, &r.exiting)
	c.Time(14, &r.exited)
	c.Bool(15, &r.lied)
	c.String(16, &r.reason, maxReason)
	c.Fixed(17, r.piece[:])
	c.Bool(18, &r.lost)
	r.contact.fields(c)
	if c.Decoding() && (!r.audit.valid() || !r.unknown.valid()) {
		c.Fail()
	}
}

func (t *contact) fields(c *wire.Codec) {
	habit := int64(t.habit)
	var cells []byte
	for _, cell := range append(t.cells[:], t.now) {
		cells = append(cells, cell.online, cell.total)
	}
	c.Int(19, &t.window)
	c.Bytes(20, &cells, 2*(History+1))
	c.Int(21, &habit)
	c.Time(22, &t.away)
	if !c.Decoding() {
		return
	}
	if len(cells) != 2*(History+1) || habit < 0 || t.window < 0 {
		c.Fail()
		return
	}
	for i := range t.cells {
		t.cells[i] = cell{cells[2*i], cells[2*i+1]}
	}
	t.now = cell{cells[2*History], cells[2*History+1]}
	t.habit = time.Duration(habit)
	t.score = t.measure()
}

// codeFloat codes a number that is not negative by its bits.
func codeFloat(c *wire.Codec, num int, v *float64) {
	raw := math.Float64bits(*v)
	c.Uint(num, &raw)
	*v = math.Float64frombits(raw)
	if math.IsNaN(*v) || *v < 0 {
		c.Fail()
	}
}
