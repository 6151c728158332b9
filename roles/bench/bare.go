package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
)

// bareChunk is what both sides of a bare stream write and read at a time.
const bareChunk = 128 << 10

// ServeBare is a peer of the baseline: it discards what a stream brings, or writes as much as its first eight bytes ask
// for, over the same transport and TLS as everything else and with nothing above it. It calls ready with its address
// and serves until ctx ends.
func ServeBare(ctx context.Context, ready func(netx.NodeURL)) error {
	id, err := identity.Generate()
	if err != nil {
		return err
	}
	transport, err := quicnet.New(id, quicnet.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = transport.Close() }()
	listener, err := transport.Listen()
	if err != nil {
		return err
	}
	ready(netx.NodeURL{ID: id.ID(), Address: transport.Address()})
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		conn, err := listener.Accept(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		conns.Go(func() { serveBareConn(ctx, conn) })
	}
}

func serveBareConn(ctx context.Context, conn netx.Conn) {
	var streams sync.WaitGroup
	defer streams.Wait()
	defer func() { _ = conn.Close(netx.OK) }()
	for {
		st, err := conn.AcceptStream(ctx)
		if err != nil {
			return
		}
		streams.Go(func() {
			if serveBareStream(st) != nil {
				st.Cancel(netx.Internal)
			}
		})
	}
}

func serveBareStream(st netx.Stream) error {
	var head [8]byte
	if _, err := io.ReadFull(st, head[:]); err != nil {
		return err
	}
	buf := make([]byte, bareChunk)
	if _, err := io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{st}, buf); err != nil {
		return err
	}
	for left := binary.BigEndian.Uint64(head[:]); left > 0; {
		n := min(left, bareChunk)
		if _, err := st.Write(buf[:n]); err != nil {
			return err
		}
		left -= n
	}
	return st.CloseWrite()
}

// onlyReader and onlyWriter hide shortcuts, so that CopyBuffer uses its buffer.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// Bare moves bytes to and from bare peers, each peer a share of them on streams of piece bytes, and reports both ways
// as Run does.
func Bare(ctx context.Context, peers []netx.NodeURL, up, down BareLoad, otherCPU func() time.Duration) ([]Transfer, error) {
	id, err := identity.Generate()
	if err != nil {
		return nil, err
	}
	transport, err := quicnet.New(id, quicnet.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = transport.Close() }()
	conns := make([]netx.Conn, len(peers))
	for i, peer := range peers {
		if conns[i], err = transport.Dial(ctx, peer, netx.Data); err != nil {
			return nil, fmt.Errorf("dial bare peer: %w", err)
		}
	}
	var transfers []Transfer
	for _, load := range []BareLoad{up, down} {
		start, cpu := time.Now(), OwnCPU()+otherCPU()
		if err := load.move(ctx, conns); err != nil {
			return nil, fmt.Errorf("bare %s: %w", load.Name, err)
		}
		transfers = append(transfers, Transfer{
			Name: load.Name, Bytes: load.Useful, PieceBytes: load.Rounds * load.Piece * int64(load.Peers),
			Wall: time.Since(start), CPU: OwnCPU() + otherCPU() - cpu,
		})
	}
	return transfers, nil
}

// BareLoad is what a transfer of segments amounts to on the wire: Rounds times, one piece for each of Peers at once.
type BareLoad struct {
	Name   string
	Useful int64 // bytes that it stands for
	Rounds int64 // segments
	Peers  int
	Piece  int64 // bytes
	Get    bool
}

func (l BareLoad) move(ctx context.Context, conns []netx.Conn) error {
	if l.Peers > len(conns) {
		return errors.New("more peers wanted than there are")
	}
	for range l.Rounds {
		group, ctx := errgroup.WithContext(ctx)
		for _, conn := range conns[:l.Peers] {
			group.Go(func() error { return l.stream(ctx, conn) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return nil
}

func (l BareLoad) stream(ctx context.Context, conn netx.Conn) error {
	st, err := conn.OpenStream(ctx)
	if err != nil {
		return err
	}
	defer st.Cancel(netx.Cancelled) // after a complete exchange it does nothing
	var head [8]byte
	if l.Get {
		binary.BigEndian.PutUint64(head[:], uint64(l.Piece))
	}
	if _, err := st.Write(head[:]); err != nil {
		return err
	}
	buf := make([]byte, bareChunk)
	for left := l.Piece; left > 0 && !l.Get; {
		n := min(left, bareChunk)
		if _, err := st.Write(buf[:n]); err != nil {
			return err
		}
		left -= n
	}
	if err := st.CloseWrite(); err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{io.Discard}, onlyReader{st}, buf)
	return err
}
