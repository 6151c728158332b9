package audit

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/reputation"
)

const (
	// maxEvidence is how many rows a node has.
	maxEvidence = 20
	maxText     = 512
	// maxPendingOf bounds the contained pieces of a node, maxPending those of all.
	maxPendingOf = 8
	maxPending   = 100_000
)

// Evidence is what was asked of a node and what came, kept for every verdict but a good one that was quick.
type Evidence struct {
	Time     time.Time
	Verdict  reputation.Verdict
	Piece    pieces.PieceID
	Stream   metainfo.StreamID
	Position metainfo.Position
	Number   int
	Offset   int64 // bytes asked for
	Length   int64
	Took     time.Duration
	Text     string
}

// Fields codes the evidence for wire: its row, and what the owner is shown.
func (e *Evidence) Fields(c *wire.Codec) {
	verdict, number, took := uint32(e.Verdict), uint32(e.Number), int64(e.Took)
	c.Time(1, &e.Time)
	c.Uint32(2, &verdict)
	c.Fixed(3, e.Piece[:])
	c.Fixed(4, e.Stream[:])
	c.Message(5, &e.Position)
	c.Uint32(6, &number)
	c.Int(7, &e.Offset)
	c.Int(8, &e.Length)
	c.Int(9, &took)
	c.String(10, &e.Text, maxText)
	if verdict > 255 || number >= ecenc.MaxTotal {
		c.Fail()
	}
	e.Verdict, e.Number, e.Took = reputation.Verdict(verdict), int(number), time.Duration(took)
}

type evidenceKey struct {
	node  netx.NodeID
	nanos uint64
}

func evidence() kv.Table[evidenceKey, Evidence, *Evidence] {
	return kv.NewTable[evidenceKey, Evidence]("z/audit/e/", kv.KeyCodec[evidenceKey]{
		Append: func(dst []byte, k evidenceKey) []byte { return kv.AppendUint64(append(dst, k.node[:]...), k.nanos) },
		Parse: func(b []byte) (k evidenceKey, ok bool) {
			if b, ok = kv.CutFixed(b, k.node[:]); !ok {
				return k, false
			}
			k.nanos, b, ok = kv.CutUint64(b)
			return k, ok && len(b) == 0
		},
	})
}

// note keeps evidence. Of slow answers that were right, one a day for each node.
func (a *Auditor) note(ctx context.Context, s *subject, o outcome) error {
	now := time.Now().UTC()
	if o.verdict == reputation.Proved {
		if s.tries > 0 || !slow(o.took, s.wanted.size) || !a.firstToday(s.item.node, now) {
			return nil
		}
		o.text = fmt.Sprintf("right, but it took %s: does the node keep the piece itself?", o.took.Round(time.Millisecond))
	}
	row := Evidence{
		Time: now, Verdict: o.verdict, Piece: s.wanted.piece, Stream: s.stream, Position: s.position, Number: s.number,
		Offset: o.offset, Length: o.length, Took: o.took, Text: o.text[:min(len(o.text), maxText)],
	}
	err := a.opts.Store.Update(ctx, func(tx kv.Tx) error {
		table := evidence()
		if err := table.Put(tx, evidenceKey{s.item.node, uint64(now.UnixNano())}, &row); err != nil {
			return err
		}
		r, kept := table.Prefix(s.item.node[:]), 0
		r.Reverse = true
		return kv.Scan(tx, r, func(key, _ []byte) (bool, error) {
			if kept++; kept <= maxEvidence {
				return true, nil
			}
			return true, tx.Delete(bytes.Clone(key))
		})
	})
	if err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	return nil
}

func (a *Auditor) firstToday(id netx.NodeID, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.slow[id]) < day {
		return false
	}
	a.slow[id] = now
	return true
}

// Evidence returns what is kept of a node, the newest first.
func (a *Auditor) Evidence(ctx context.Context, node netx.NodeID, limit int) ([]Evidence, error) {
	return ReadEvidence(ctx, a.opts.Store, node, limit)
}

// ReadEvidence is Evidence on the store of a satellite that does not run.
func ReadEvidence(ctx context.Context, store kv.Store, node netx.NodeID, limit int) (list []Evidence, err error) {
	err = store.View(ctx, func(tx kv.Tx) error {
		list = nil
		r := evidence().Prefix(node[:])
		r.Reverse = true
		return evidence().Scan(tx, r, func(_ evidenceKey, e *Evidence) (bool, error) {
			if len(list) >= limit {
				return false, nil
			}
			list = append(list, *e)
			return true, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	return list, nil
}
