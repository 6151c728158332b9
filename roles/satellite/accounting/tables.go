package accounting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/pieces"
)

const (
	daySeconds  = 24 * 60 * 60
	hourSeconds = 60 * 60
	maxBucket   = 128 // bytes of a bucket's name
	digestSize  = 16
	serialSize  = 8 // of what is kept of a serial: its random half
)

func dayOf(t time.Time) uint32  { return uint32(max(t.Unix(), 0) / daySeconds) }
func hourOf(t time.Time) uint32 { return uint32(max(t.Unix(), 0) / hourSeconds) }

func dayStart(day uint32) time.Time { return time.Unix(int64(day)*daySeconds, 0).UTC() }

type (
	bucketKey struct {
		project metainfo.ProjectID
		bucket  string
	}
	bucketDay struct {
		day uint32
		bucketKey
	}
	nodeDay struct {
		day  uint32
		node netx.NodeID
	}
	batchKey struct {
		hour   uint32
		node   netx.NodeID
		digest [digestSize]byte
	}
)

// bucketRow is a bucket's day.
type bucketRow struct {
	asked, settled, allocated, inline    int64 // bytes
	byteHours, objectHours, segmentHours int64
	uploaded, uploadLimits               int64 // bytes: of objects, and what limits for their pieces allowed
}

// Fields codes the row for wire.
func (r *bucketRow) Fields(c *wire.Codec) {
	for i, v := range r.numbers() {
		c.Int(i+1, v)
	}
}

func (r *bucketRow) numbers() [9]*int64 {
	return [...]*int64{
		&r.asked, &r.settled, &r.allocated, &r.inline, &r.byteHours, &r.objectHours, &r.segmentHours, &r.uploaded, &r.uploadLimits,
	}
}

func (r *bucketRow) add(o *bucketRow) {
	more := o.numbers()
	for i, v := range r.numbers() {
		*v += *more[i]
	}
}

func (r *bucketRow) negative() bool {
	numbers := r.numbers()
	return slices.ContainsFunc(numbers[:], func(v *int64) bool { return *v < 0 })
}

// billed is what of the day's egress is paid for.
func (r *bucketRow) billed() int64 { return min(r.asked, r.settled) + r.inline }

// waste is what nodes moved beyond it.
func (r *bucketRow) waste() int64 { return r.settled - min(r.asked, r.settled) }

// nodeRow is a node's day.
type nodeRow struct {
	get, audit, repair int64 // bytes settled
	orders             int64
	byteHours          int64
}

// Fields codes the row for wire.
func (r *nodeRow) Fields(c *wire.Codec) {
	for i, v := range []*int64{&r.get, &r.audit, &r.repair, &r.orders, &r.byteHours} {
		c.Int(i+1, v)
	}
}

func (r *nodeRow) add(o *nodeRow) {
	r.get += o.get
	r.audit += o.audit
	r.repair += o.repair
	r.orders += o.orders
	r.byteHours += o.byteHours
}

func (r *nodeRow) count(action pieces.Action, bytes int64) {
	r.orders++
	switch action {
	case pieces.ActionGetAudit:
		r.audit += bytes
	case pieces.ActionGetRepair:
		r.repair += bytes
	default:
		r.get += bytes
	}
}

// batchRow is a batch of orders that was taken.
type batchRow struct {
	reply   pieces.SettleReply
	serials []byte // serialSize of each order that was counted
}

// Fields codes the row for wire.
func (r *batchRow) Fields(c *wire.Codec) {
	c.Message(1, &r.reply)
	c.Bytes(2, &r.serials, pieces.MaxSettle*serialSize)
	if len(r.serials)%serialSize != 0 {
		c.Fail()
	}
}

// tallyRow is what a bucket held when it was last looked at.
type tallyRow struct{ bytes, plain, objects, segments int64 }

// Fields codes the row for wire.
func (r *tallyRow) Fields(c *wire.Codec) {
	c.Int(1, &r.bytes)
	c.Int(2, &r.plain)
	c.Int(3, &r.objects)
	c.Int(4, &r.segments)
}

// lastRow is when was tallied.
type lastRow struct{ buckets, nodes time.Time }

// Fields codes the row for wire.
func (r *lastRow) Fields(c *wire.Codec) {
	c.Time(1, &r.buckets)
	c.Time(2, &r.nodes)
}

func appendBucket(dst []byte, k bucketKey) []byte {
	return kv.AppendText(append(dst, k.project[:]...), k.bucket)
}

func parseBucket(b []byte) (k bucketKey, ok bool) {
	if b, ok = kv.CutFixed(b, k.project[:]); !ok {
		return k, false
	}
	name, rest, ok := kv.CutText(b)
	k.bucket = string(name)
	return k, ok && len(rest) == 0 && len(name) <= maxBucket
}

func cutUint32(b []byte) (v uint32, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), b[4:], true
}

func bucketDays() kv.Table[bucketDay, bucketRow, *bucketRow] {
	return kv.NewTable[bucketDay, bucketRow]("z/accounting/b/", kv.KeyCodec[bucketDay]{
		Append: func(dst []byte, k bucketDay) []byte { return appendBucket(kv.AppendUint32(dst, k.day), k.bucketKey) },
		Parse: func(b []byte) (k bucketDay, ok bool) {
			if k.day, b, ok = cutUint32(b); !ok {
				return k, false
			}
			k.bucketKey, ok = parseBucket(b)
			return k, ok
		},
	})
}

func nodeDays() kv.Table[nodeDay, nodeRow, *nodeRow] {
	return kv.NewTable[nodeDay, nodeRow]("z/accounting/n/", kv.KeyCodec[nodeDay]{
		Append: func(dst []byte, k nodeDay) []byte { return append(kv.AppendUint32(dst, k.day), k.node[:]...) },
		Parse: func(b []byte) (k nodeDay, ok bool) {
			if k.day, b, ok = cutUint32(b); !ok {
				return k, false
			}
			b, ok = kv.CutFixed(b, k.node[:])
			return k, ok && len(b) == 0
		},
	})
}

func batches() kv.Table[batchKey, batchRow, *batchRow] {
	return kv.NewTable[batchKey, batchRow]("z/accounting/s/", kv.KeyCodec[batchKey]{
		Append: func(dst []byte, k batchKey) []byte {
			return append(append(kv.AppendUint32(dst, k.hour), k.node[:]...), k.digest[:]...)
		},
		Parse: func(b []byte) (k batchKey, ok bool) {
			if k.hour, b, ok = cutUint32(b); !ok {
				return k, false
			}
			if b, ok = kv.CutFixed(b, k.node[:]); !ok {
				return k, false
			}
			b, ok = kv.CutFixed(b, k.digest[:])
			return k, ok && len(b) == 0
		},
	})
}

func tallies() kv.Table[bucketKey, tallyRow, *tallyRow] {
	return kv.NewTable[bucketKey, tallyRow]("z/accounting/t/", kv.KeyCodec[bucketKey]{Append: appendBucket, Parse: parseBucket})
}

func lastTable() kv.Table[struct{}, lastRow, *lastRow] {
	return kv.NewTable[struct{}, lastRow]("z/accounting/last", kv.KeyCodec[struct{}]{
		Append: func(dst []byte, _ struct{}) []byte { return dst },
		Parse:  func(b []byte) (k struct{}, ok bool) { return k, len(b) == 0 },
	})
}

// row is a pointer to a row that can be added up.
type row[V any] interface {
	kv.Row[V]
	add(*V)
}

// addRow adds to the row of a key.
func addRow[K, V any, P row[V]](tx kv.Tx, table kv.Table[K, V, P], key K, more *V) error {
	sum, err := table.Get(tx, key)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	P(&sum).add(more)
	return table.Put(tx, key, &sum)
}

// Check reads every row and returns an error for what cannot be read, or cannot be.
func (a *Accounting) Check(ctx context.Context) error {
	var faults []error
	err := a.opts.DB.Store().View(ctx, func(tx kv.Tx) error {
		faults = nil
		return errors.Join(
			bucketDays().Scan(tx, bucketDays().All(), func(k bucketDay, r *bucketRow) (bool, error) {
				if r.negative() {
					faults = append(faults, fmt.Errorf("%w: usage of a bucket of project %s on day %d is negative",
						kv.ErrCorrupt, k.project, k.day))
				}
				return len(faults) < maxFaults, nil
			}),
			nodeDays().Scan(tx, nodeDays().All(), func(k nodeDay, r *nodeRow) (bool, error) {
				if min(r.get, r.audit, r.repair, r.orders, r.byteHours) < 0 {
					faults = append(faults, fmt.Errorf("%w: usage of node %s on day %d is negative", kv.ErrCorrupt, k.node, k.day))
				}
				return len(faults) < maxFaults, nil
			}),
			batches().Scan(tx, batches().All(), func(batchKey, *batchRow) (bool, error) { return true, nil }),
			tallies().Scan(tx, tallies().All(), func(bucketKey, *tallyRow) (bool, error) { return true, nil }),
		)
	})
	return errors.Join(err, errors.Join(faults...))
}

// maxFaults is how many faults Check reports.
const maxFaults = 20
