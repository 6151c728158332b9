package storagenode

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// What the owner of a running node asks of it: each finds the node that runs in dir. Errors: ErrNotRunning, ErrNotOwner.

// Exit has the node leave a satellite: its pieces are moved to others while it goes on serving. With cancel it stays.
// Errors: pieces.ErrUntrusted for a satellite that it has not joined.
func Exit(ctx context.Context, dir string, satellite netx.NodeID, cancel bool) error {
	return askOwn(ctx, dir, MethodExit, &ExitRequest{Satellite: satellite, Cancel: cancel}, new(pieces.Empty))
}

// Forget ends the relation to a satellite and deletes everything that is stored for it. Errors: ErrNotExited while the
// satellite needs that, unless insist is set; pieces.ErrUntrusted.
func Forget(ctx context.Context, dir string, satellite netx.NodeID, insist bool) error {
	return askOwn(ctx, dir, MethodForget, &ForgetRequest{Satellite: satellite, Insist: insist}, new(pieces.Empty))
}

// ForgetDisk says that a disk is lost for good. Errors: ErrNotLost.
func ForgetDisk(ctx context.Context, dir, path string) (*DiskReply, error) {
	reply := new(DiskReply)
	return reply, askOwn(ctx, dir, MethodDisk, &DiskRequest{Path: path}, reply)
}

// ReadUsage asks what was stored and moved in a month, like 2026-11; empty is this one. Errors: pieces.ErrMalformed.
func ReadUsage(ctx context.Context, dir, month string) (*UsageReply, error) {
	reply := new(UsageReply)
	return reply, askOwn(ctx, dir, MethodUsage, &UsageRequest{Month: month}, reply)
}

func askOwn(ctx context.Context, dir string, method rpc.Method, req, reply wire.Message) error {
	c, err := dialOwn(dir)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.pool.Call(ctx, c.node, netx.Control, method, req, reply, adminErrors(), pieces.Errors()); err != nil {
		return asNotRunning(err)
	}
	return nil
}

// MoveDisk has the node move what lies in one directory to another, while it runs; progress is called now and then. It can
// be asked again after it was interrupted and goes on where it was.
func MoveDisk(ctx context.Context, dir, from, to string, progress func(MoveProgress)) error {
	c, err := dialOwn(dir)
	if err != nil {
		return err
	}
	defer c.close()
	st, err := c.pool.Open(ctx, c.node, netx.Control, MethodMove, &MoveRequest{From: from, To: to})
	if err != nil {
		return asNotRunning(err)
	}
	defer st.Cancel(netx.Cancelled) // after a complete exchange it does nothing
	if err := st.CloseWrite(); err != nil {
		return fmt.Errorf("ask node: %w", err)
	}
	if err := st.Response(new(pieces.Empty), adminErrors(), pieces.Errors()); err != nil {
		return asNotRunning(err)
	}
	for {
		p, err := readProgress(st)
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: the node stopped; ask it again", netx.ErrClosed)
		}
		if err != nil {
			return fmt.Errorf("move disk: %w", err)
		}
		progress(p.MoveProgress)
		if p.code != netx.OK {
			return netx.FromWire(p.code, p.reason, adminErrors(), pieces.Errors(), netx.Errors())
		}
		if p.Done {
			return nil
		}
	}
}

// moveFrame is a progress with the error that ends the move.
type moveFrame struct {
	MoveProgress
	code   netx.Code
	reason netx.Reason
}

// Fields codes the frame for wire.
func (f *moveFrame) Fields(c *wire.Codec) {
	code, reason := uint32(f.code), uint32(f.reason)
	c.Message(1, &f.MoveProgress)
	c.Uint32(2, &code)
	c.Uint32(3, &reason)
	f.code, f.reason = netx.Code(code), netx.Reason(reason)
	if code > 255 || reason > 65535 {
		c.Fail()
	}
}

const maxProgress = 128

func writeProgress(w io.Writer, f *moveFrame) error {
	raw := wire.Marshal(f)
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(raw))), raw...))
	return err
}

func readProgress(r io.Reader) (f moveFrame, err error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return f, err
	}
	n := binary.BigEndian.Uint16(size[:])
	if n > maxProgress {
		return f, netx.ErrTooLarge
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return f, err
	}
	return f, wire.Unmarshal(raw, &f)
}
