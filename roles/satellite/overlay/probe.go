package overlay

// The goroutines of an Overlay: Run feeds due nodes and hints to a fixed number of workers; each asks one node at a time
// and notes the answer. Run waits for all of them.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/placement"
)

const (
	// maxProbes bounds the queue, probeWorkers who works on it.
	maxProbes    = 1024
	probeWorkers = 8
	// maxPings bounds the dials at once on behalf of nodes that check in or are probed; the others wait.
	maxPings = 64
	// maxPingsPerHost bounds those for strangers who call from one host: where everybody may join, NodeIDs cost nothing,
	// and addresses that do not answer would keep all others out.
	maxPingsPerHost = maxPings / 4
	// probeAgain is how long the answer to a hint is believed.
	probeAgain = 30 * time.Second
	// lookEvery is how often nodes that are missed are asked again, at first; later, after a part of their silence.
	lookEvery   = time.Minute
	silencePart = 8
	// giveUpAfter is how long after its last contact a node is not asked any more: it will have to check in.
	giveUpAfter = 7 * 24 * time.Hour
)

// Suspect takes nodes of which somebody says that some do not answer. It does not block.
func (o *Overlay) Suspect(nodes []netx.NodeID) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range nodes {
		if _, known := o.nodes[id]; !known || now.Sub(o.probed[id]) < probeAgain {
			continue
		}
		select {
		case o.probes <- id:
			o.probed[id] = now
		default: // full: the network has larger troubles than this hint
			return
		}
	}
}

// Run asks nodes until ctx ends.
func (o *Overlay) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range probeWorkers {
		workers.Go(func() { o.runProbes(ctx) })
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	o.Suspect(o.missed())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			o.opts.Directory.Refresh()
			o.Suspect(o.missed())
		}
	}
}

// Close does nothing: the database and the transport are the satellite's.
func (o *Overlay) Close() error { return nil }

// missed returns the nodes that are not in contact and may come back.
func (o *Overlay) missed() []netx.NodeID {
	now := time.Now()
	var ids []netx.NodeID
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, node := range o.opts.Directory.Nodes() {
		silence := now.Sub(node.LastContact)
		missed := !node.Leaving && silence < giveUpAfter && (node.Unreachable || silence > placement.OfflineAfter)
		if missed && now.Sub(o.probed[node.URL.ID]) >= silence/silencePart {
			ids = append(ids, node.URL.ID)
		}
	}
	return ids
}

func (o *Overlay) runProbes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-o.probes:
			o.probe(ctx, id)
		}
	}
}

func (o *Overlay) probe(ctx context.Context, id netx.NodeID) {
	o.mu.Lock()
	n, known := o.nodes[id]
	o.mu.Unlock()
	if !known {
		return
	}
	_, err := o.ping(ctx, netx.NodeURL{ID: id, Address: n.row.Address})
	if ctx.Err() != nil || errors.Is(err, netx.ErrBusy) {
		return // the answer says nothing of the node
	}
	if o.opts.Directory.SetReachable(id, err == nil) {
		o.log.Info().Stringer("node", id).Bool("online", err == nil).Err(err).Msg("node changed state")
	}
	if err == nil && o.opts.Book != nil {
		o.opts.Book.Seen(id)
	}
}

// strangers returns ping on behalf of nodes which were never reached before and call from host. It returns netx.ErrBusy
// at once when too many of them wait.
func (o *Overlay) strangers(host string) func(ctx context.Context, node netx.NodeURL) (ip string, err error) {
	return func(ctx context.Context, node netx.NodeURL) (ip string, err error) {
		o.mu.Lock()
		full := o.asking[host] >= maxPingsPerHost
		if !full {
			o.asking[host]++
		}
		o.mu.Unlock()
		if full {
			return "", netx.ErrBusy
		}
		defer o.asked(host)
		return o.ping(ctx, node)
	}
}

func (o *Overlay) asked(host string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asking[host]--; o.asking[host] == 0 {
		delete(o.asking, host)
	}
}

// ping dials a node anew and asks whether it is there; it returns the IP address that answered.
//
// A pooled connection would prove nothing about the address. Errors: pieces.ErrPingBack; netx.ErrBusy when too many
// others are being asked.
func (o *Overlay) ping(ctx context.Context, node netx.NodeURL) (ip string, err error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	select {
	case o.pings <- struct{}{}:
		defer func() { <-o.pings }()
	case <-ctx.Done():
		return "", netx.ErrBusy
	}
	pool := rpc.NewPool(o.opts.Transport, rpc.PoolOptions{MaxConns: 1, DialTimeout: pingTimeout / 2})
	defer func() { _ = pool.Close() }() // best effort: the answer is known
	conn, err := pool.Get(ctx, node, netx.Data)
	asked := time.Now()
	if err == nil {
		err = pool.Call(ctx, node, netx.Data, pieces.MethodPing, new(pieces.Empty), new(pieces.PingReply), pieces.Errors())
	}
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", pieces.ErrPingBack, node.Address, err)
	}
	if o.opts.Directory != nil {
		o.opts.Directory.Observe(node.ID, time.Since(asked))
	}
	ip, _, err = net.SplitHostPort(conn.RemoteAddr())
	if err != nil {
		return "", fmt.Errorf("%w: %w", pieces.ErrPingBack, err)
	}
	return ip, nil
}

// Probed is when a node was last asked whether it is there, on somebody's hint or because it is missed.
func (o *Overlay) Probed(id netx.NodeID) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.probed[id]
}
