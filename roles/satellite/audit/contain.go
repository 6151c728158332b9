package audit

import (
	"context"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/pieces"
)

// pieceOn names a contained piece.
type pieceOn struct {
	node  netx.NodeID
	piece pieces.PieceID
}

// pendingRow is a contained piece: it will be asked for again, whole.
type pendingRow struct {
	stream   metainfo.StreamID
	position metainfo.Position
	number   int
	alias    metainfo.NodeAlias
	tries    int
	next     time.Time
}

// Fields codes the row. Field numbers are never used twice.
func (r *pendingRow) Fields(c *wire.Codec) {
	number, alias, tries := uint32(r.number), uint32(r.alias), uint32(r.tries)
	c.Fixed(1, r.stream[:])
	c.Message(2, &r.position)
	c.Uint32(3, &number)
	c.Uint32(4, &alias)
	c.Uint32(5, &tries)
	c.Time(6, &r.next)
	if number >= ecenc.MaxTotal || tries > maxTries {
		c.Fail()
	}
	r.number, r.alias, r.tries = int(number), metainfo.NodeAlias(alias), int(tries)
}

func pending() kv.Table[pieceOn, pendingRow, *pendingRow] {
	return kv.NewTable[pieceOn, pendingRow]("z/audit/p/", kv.KeyCodec[pieceOn]{
		Append: func(dst []byte, k pieceOn) []byte { return append(append(dst, k.node[:]...), k.piece[:]...) },
		Parse: func(b []byte) (k pieceOn, ok bool) {
			if b, ok = kv.CutFixed(b, k.node[:]); !ok {
				return k, false
			}
			b, ok = kv.CutFixed(b, k.piece[:])
			return k, ok && len(b) == 0
		},
	})
}

func (a *Auditor) loadPending(ctx context.Context) error {
	return a.opts.Store.View(ctx, func(tx kv.Tx) error {
		a.pending = make(map[pieceOn]pendingRow)
		return pending().Scan(tx, pending().All(), func(k pieceOn, r *pendingRow) (bool, error) {
			a.pending[k] = *r
			return true, nil
		})
	})
}

// contained is the number of contained pieces.
func (a *Auditor) contained() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.pending)
}

// contain has a piece asked for again later.
func (a *Auditor) contain(ctx context.Context, s *subject, o outcome) error {
	if o.verdict != 0 {
		a.opts.Book.Report(s.item.node, finding(s, o))
	}
	key := pieceOn{s.item.node, s.wanted.piece}
	row := pendingRow{s.stream, s.position, s.number, s.alias, s.tries + 1, time.Now().UTC().Add(a.opts.Retry)}
	a.mu.Lock()
	old, known := a.pending[key]
	if s.tries == 0 && known {
		a.mu.Unlock()
		return nil // its turn comes
	}
	full := !known && (len(a.pending) >= maxPending || a.pendingOf(s.item.node) >= maxPendingOf)
	if !full {
		a.pending[key] = row
	}
	a.mu.Unlock()
	if full {
		return nil // others of this node decide
	}
	err := a.opts.Store.Update(ctx, func(tx kv.Tx) error { return pending().Put(tx, key, &row) })
	if err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		if delete(a.pending, key); known {
			a.pending[key] = old
		}
	}
	return err
}

// pendingOf is called with mu held.
func (a *Auditor) pendingOf(id netx.NodeID) (n int) {
	for key := range a.pending {
		if key.node == id {
			n++
		}
	}
	return n
}

// forget ends containment of a piece, if it is contained.
func (a *Auditor) forget(ctx context.Context, it item) {
	a.mu.Lock()
	var keys []pieceOn
	for key, row := range a.pending {
		if key.node == it.node && row.stream == it.stream && row.position == it.position && row.number == it.number {
			keys = append(keys, key)
			delete(a.pending, key)
		}
	}
	a.mu.Unlock()
	for _, key := range keys {
		err := a.opts.Store.Update(ctx, func(tx kv.Tx) error { return pending().Delete(tx, key) })
		if err != nil && ctx.Err() == nil {
			a.log.Warn().Stringer("node", it.node).Err(err).Msg("containment not ended")
		}
	}
}

// queueDue puts contained pieces first into the queue when they are due.
func (a *Auditor) queueDue(now time.Time) {
	a.mu.Lock()
	var due []item
	for key, row := range a.pending {
		if row.next.After(now) {
			continue
		}
		row.next = now.Add(a.opts.Retry) // for a node that is away; an answer decides sooner
		a.pending[key] = row
		due = append(due, item{
			node: key.node, alias: row.alias, tries: row.tries,
			pick: pick{stream: row.stream, position: row.position, number: row.number},
		})
	}
	a.items = append(due, a.items...)
	a.mu.Unlock()
	if len(due) > 0 {
		a.wake()
	}
}
