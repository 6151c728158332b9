package gc

// Run waits for filters to be sealed and sends them, some at once; those that could not be sent it tries again. It waits
// for all that it has started.

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

const (
	// sendWorkers is how many nodes are sent a filter at once.
	sendWorkers = 8
	// retryAfter is when those are tried again that did not take theirs, or were not in contact.
	retryAfter = 10 * time.Minute
	// sendTimeout is for the answer, and for each sendStep bytes.
	sendTimeout = time.Minute
	sendStep    = 8 << 20
)

// Run sends filters until ctx ends.
func (f *Filters) Run(ctx context.Context) error {
	for {
		if !f.wait(ctx) {
			return nil
		}
		f.sendAll(ctx)
	}
}

// wait returns when there is something to send, or false when ctx ends.
func (f *Filters) wait(ctx context.Context) bool {
	var again <-chan time.Time // nil: with nothing to send there is nothing to try again
	if f.waiting() > 0 {
		timer := time.NewTimer(retryAfter)
		defer timer.Stop()
		again = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-f.wake:
	case <-again:
	}
	return true
}

// Close does nothing: the pool is the satellite's.
func (f *Filters) Close() error { return nil }

func (f *Filters) waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sealed)
}

// due returns the nodes whose filters wait, and drops those that are too old.
func (f *Filters) due() []netx.NodeID {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []netx.NodeID
	for id, s := range f.sealed {
		if time.Since(s.made) > MaxAge {
			delete(f.sealed, id)
			continue
		}
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b netx.NodeID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

func (f *Filters) sendAll(ctx context.Context) {
	var group errgroup.Group
	group.SetLimit(sendWorkers)
	for _, id := range f.due() {
		url, online, known := f.opts.Nodes.Node(id)
		if !online || !known || f.hold(netx.NodeID{}) != nil || f.hold(id) != nil || ctx.Err() != nil {
			continue
		}
		group.Go(func() error {
			f.sendTo(ctx, url)
			return nil
		})
	}
	_ = group.Wait() // nothing returns an error
}

func (f *Filters) sendTo(ctx context.Context, url netx.NodeURL) {
	f.mu.Lock()
	s := f.sealed[url.ID]
	f.mu.Unlock()
	if s == nil {
		return
	}
	err := f.send(ctx, url, s)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		f.failed.Inc()
		f.log.Debug().Stringer("node", url.ID).Stringer("code", netx.CodeOf(err)).Err(err).Msg("garbage filter not taken")
	}
	f.noteSent(ctx, url.ID, s, err)
}

// send gives a node its filter; it returns when the node has kept it.
func (f *Filters) send(ctx context.Context, url netx.NodeURL, s *sealed) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout*time.Duration(1+s.header.Size/sendStep))
	defer cancel()
	st, err := f.opts.Pool.Open(ctx, url, netx.Data, pieces.MethodRetain, &s.header)
	if err != nil {
		return err
	}
	defer st.Cancel(netx.Cancelled)
	_, err = st.Write(s.bits)
	if err == nil {
		err = st.CloseWrite()
	}
	if err != nil {
		return fmt.Errorf("send garbage filter: %w", err)
	}
	return st.Response(new(pieces.Empty), pieces.Errors())
}

// noteSent drops a filter that was taken, and writes down how it went.
func (f *Filters) noteSent(ctx context.Context, id netx.NodeID, s *sealed, failure error) {
	f.mu.Lock()
	if f.sealed[id] != s { // a newer one came meanwhile
		f.mu.Unlock()
		return
	}
	row := f.status[id]
	row.Problem = ""
	if failure != nil {
		row.Problem = shorten(failure.Error())
	} else {
		f.sends.Inc()
		delete(f.sealed, id)
		row.Sent = time.Now().UTC().Round(0)
	}
	f.status[id] = row
	f.mu.Unlock()
	if failure != nil {
		return // it is tried again, and a restart makes it anew
	}
	err := f.opts.DB.Store().Update(ctx, func(tx kv.Tx) error { return nodeTable().Put(tx, id, &row) })
	if err != nil && ctx.Err() == nil {
		f.log.Warn().Stringer("node", id).Err(err).Msg("garbage filter was sent but not noted")
	}
}

func shorten(text string) string { return text[:min(len(text), maxProblem)] }

// RestoreTrash has a node take pieces out of its trash that were put there since. It returns how many.
func (f *Filters) RestoreTrash(ctx context.Context, id netx.NodeID, since time.Time) (int64, error) {
	url, _, known := f.opts.Nodes.Node(id)
	if !known {
		return 0, fmt.Errorf("restore trash of %s: %w", id, pieces.ErrNotJoined)
	}
	f.mu.Lock()
	delete(f.sealed, id) // what it would trash is what is wanted back
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, restoreTimeout)
	defer cancel()
	reply := new(pieces.RestoreTrashReply)
	err := f.opts.Pool.CallWith(ctx, rpc.CallOptions{
		Peer: url, Purpose: netx.Data, Method: pieces.MethodRestoreTrash,
	}, &pieces.RestoreTrashRequest{Since: since}, reply, pieces.Errors())
	if err != nil {
		return 0, fmt.Errorf("restore trash of %s: %w", id, err)
	}
	return reply.Pieces, nil
}
