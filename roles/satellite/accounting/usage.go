package accounting

import (
	"context"
	"fmt"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// maxItems is the most buckets, and the most nodes, of a Report.
const maxItems = 20_000

// Query asks for the usage of whole days in [From, To).
type Query struct {
	Project metainfo.ProjectID // zero: all, and nodes
	From    time.Time
	To      time.Time
}

// Fields codes the query for wire.
func (q *Query) Fields(c *wire.Codec) {
	c.Fixed(1, q.Project[:])
	c.Time(2, &q.From)
	c.Time(3, &q.To)
}

// BucketUsage is what a bucket used. Amounts are bytes.
type BucketUsage struct {
	Project      metainfo.ProjectID
	Bucket       string
	ByteHours    int64 // at rest, of ciphertext
	ObjectHours  int64
	SegmentHours int64
	Billed       int64 // egress that is paid for
	Asked        int64 // of objects, on nodes
	Settled      int64 // by nodes
	Allocated    int64 // by order limits
	Inline       int64
	Waste        int64 // settled beyond what was asked for
	Uploaded     int64 // of objects
	UploadLimits int64 // allowed for their pieces
	Stored       int64 // at the last tally
	Objects      int64
	Segments     int64
}

// Fields codes the usage for wire.
func (u *BucketUsage) Fields(c *wire.Codec) {
	c.Fixed(1, u.Project[:])
	c.String(2, &u.Bucket, maxBucket)
	for i, v := range u.numbers() {
		c.Int(i+3, v)
	}
}

func (u *BucketUsage) numbers() [14]*int64 {
	return [...]*int64{
		&u.ByteHours, &u.ObjectHours, &u.SegmentHours, &u.Billed, &u.Asked, &u.Settled, &u.Allocated, &u.Inline, &u.Waste,
		&u.Stored, &u.Objects, &u.Segments, &u.Uploaded, &u.UploadLimits,
	}
}

func (u *BucketUsage) add(r *bucketRow) {
	u.ByteHours += r.byteHours
	u.ObjectHours += r.objectHours
	u.SegmentHours += r.segmentHours
	u.Billed += r.billed()
	u.Asked += r.asked
	u.Settled += r.settled
	u.Allocated += r.allocated
	u.Inline += r.inline
	u.Waste += r.waste()
	u.Uploaded += r.uploaded
	u.UploadLimits += r.uploadLimits
}

// NodeUsage is what a node did. Amounts are bytes.
type NodeUsage struct {
	Node      netx.NodeID
	ByteHours int64 // of pieces
	Get       int64
	Audit     int64
	Repair    int64
	Orders    int64 // that were settled
}

// Fields codes the usage for wire.
func (u *NodeUsage) Fields(c *wire.Codec) {
	c.Fixed(1, u.Node[:])
	for i, v := range []*int64{&u.ByteHours, &u.Get, &u.Audit, &u.Repair, &u.Orders} {
		c.Int(i+2, v)
	}
}

// Report is usage by bucket and by node.
type Report struct {
	From    time.Time // whole days
	To      time.Time
	Tallied time.Time     // when buckets were last added up; zero: never
	Buckets []BucketUsage // by project, then name
	Nodes   []NodeUsage   // by ID
	Cut     bool          // there were too many of either
}

// Fields codes the report for wire.
func (r *Report) Fields(c *wire.Codec) {
	c.Time(1, &r.From)
	c.Time(2, &r.To)
	c.Time(3, &r.Tallied)
	wire.Repeated(c, 4, &r.Buckets, maxItems)
	wire.Repeated(c, 5, &r.Nodes, maxItems)
	c.Bool(6, &r.Cut)
}

// Usage adds up days. What is not written yet, a minute's worth, is written first.
func (a *Accounting) Usage(ctx context.Context, q Query) (*Report, error) {
	if err := a.flush(ctx); err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	from, to := dayOf(q.From), dayOf(q.To.Add(daySeconds*time.Second-1))
	u := usage{project: q.Project, buckets: make(map[bucketKey]*BucketUsage), nodes: make(map[netx.NodeID]*NodeUsage)}
	report := &Report{From: dayStart(from), To: dayStart(to)}
	err := a.opts.DB.Store().View(ctx, func(tx kv.Tx) error {
		last, err := lastTable().Get(tx, struct{}{})
		if err == nil {
			report.Tallied = last.buckets
		}
		return u.read(tx, kv.AppendUint32(nil, from), kv.AppendUint32(nil, to))
	})
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	report.Buckets, report.Nodes, report.Cut = u.lists()
	return report, nil
}

// ProjectUsage adds up the buckets of a project in [from, to).
func (a *Accounting) ProjectUsage(ctx context.Context, project metainfo.ProjectID, from, to time.Time) (sum BucketUsage, err error) {
	report, err := a.Usage(ctx, Query{Project: project, From: from, To: to})
	if err != nil {
		return sum, err
	}
	sum.Project = project
	for i := range report.Buckets {
		more := report.Buckets[i].numbers()
		for n, v := range sum.numbers() {
			*v += *more[n]
		}
	}
	return sum, nil
}

// usage is a Report in the making.
type usage struct {
	project metainfo.ProjectID
	buckets map[bucketKey]*BucketUsage
	nodes   map[netx.NodeID]*NodeUsage
}

func (u *usage) read(tx kv.Tx, from, to []byte) error {
	clear(u.buckets)
	clear(u.nodes)
	all := u.project == metainfo.ProjectID{}
	table := bucketDays()
	r := kv.Range{Start: append(table.All().Start, from...), End: append(table.All().Start, to...)}
	err := table.Scan(tx, r, func(k bucketDay, row *bucketRow) (bool, error) {
		if all || k.project == u.project {
			u.bucket(k.bucketKey).add(row)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	held := tallies().All()
	if !all {
		held = tallies().Prefix(u.project[:])
	}
	err = tallies().Scan(tx, held, func(k bucketKey, row *tallyRow) (bool, error) {
		b := u.bucket(k)
		b.Stored, b.Objects, b.Segments = row.bytes, row.objects, row.segments
		return true, nil
	})
	if err != nil || !all {
		return err
	}
	nodes := nodeDays()
	r = kv.Range{Start: append(nodes.All().Start, from...), End: append(nodes.All().Start, to...)}
	return nodes.Scan(tx, r, func(k nodeDay, row *nodeRow) (bool, error) {
		n := u.nodes[k.node]
		if n == nil {
			n = &NodeUsage{Node: k.node}
			u.nodes[k.node] = n
		}
		n.ByteHours += row.byteHours
		n.Get += row.get
		n.Audit += row.audit
		n.Repair += row.repair
		n.Orders += row.orders
		return true, nil
	})
}

func (u *usage) bucket(k bucketKey) *BucketUsage {
	b := u.buckets[k]
	if b == nil {
		b = &BucketUsage{Project: k.project, Bucket: k.bucket}
		u.buckets[k] = b
	}
	return b
}
