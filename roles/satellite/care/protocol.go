package care

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/roles/satellite/admin"
)

// Method numbers on netx/rpc, for the satellite's own identity.
const (
	MethodSnapshot     = 454
	MethodCheck        = 455
	MethodStatus       = 456
	MethodConfirmClock = 457
)

const (
	maxText      = 512
	maxFaultText = 1024
	maxReported  = 200
	callTimeout  = 30 * time.Second
	// checkTimeout is for reading everything.
	checkTimeout = time.Hour
)

// Status is how the satellite is cared for.
type Status struct {
	Clock      string    // why deletions are held; empty: they are not
	Snapshot   time.Time // from which the database was restored; zero: it was not, or all is done about it
	Restored   time.Time
	Scheduled  bool
	LastBackup time.Time // that was scheduled; zero: none
	Bytes      int64     // of it
	Failure    string    // of the last attempt
}

// Fields codes the status for wire.
func (s *Status) Fields(c *wire.Codec) {
	c.String(1, &s.Clock, maxText)
	c.Time(2, &s.Snapshot)
	c.Time(3, &s.Restored)
	c.Bool(4, &s.Scheduled)
	c.Time(5, &s.LastBackup)
	c.Int(6, &s.Bytes)
	c.String(7, &s.Failure, maxText)
}

// findings are what a check found, in words.
type findings struct{ texts []string }

// Fields codes the findings for wire.
func (f *findings) Fields(c *wire.Codec) {
	raw := make([][]byte, len(f.texts))
	for i, text := range f.texts {
		raw[i] = []byte(text)
	}
	wire.RepeatedBytes(c, 1, &raw, maxReported, maxFaultText)
	if !c.Decoding() {
		return
	}
	f.texts = nil
	for _, text := range raw {
		f.texts = append(f.texts, string(text))
	}
}

// Server is what the satellite's own identity may ask for. Schedule may be nil.
type Server struct {
	Store    kv.Store
	Check    Checker
	Clock    *Clock
	Reviver  *Reviver
	Schedule *Schedule
}

// Register has the server answer the satellite's own identity.
func (s *Server) Register(server *rpc.Server, self netx.NodeID) {
	const maxHeader = 64
	server.Stream(MethodSnapshot, maxHeader, func(ctx context.Context, peer rpc.Peer, _ []byte, st *rpc.ServerStream) error {
		if peer.ID != self {
			return metainfo.ErrAdmin
		}
		if err := st.Reply(new(pieces.Empty)); err != nil {
			return err
		}
		_, err := kv.Dump(ctx, s.Store, st)
		return err
	})
	rpc.Unary(server, MethodCheck, rpc.Limits{Timeout: checkTimeout},
		func(ctx context.Context, peer rpc.Peer, _ *pieces.Empty) (*findings, error) {
			if peer.ID != self {
				return nil, metainfo.ErrAdmin
			}
			return report(s.Check(ctx)), ctx.Err()
		})
	admin.Serve(server, self, MethodStatus, func(context.Context, *pieces.Empty) (*Status, error) { return s.Status(), nil })
	admin.Serve(server, self, MethodConfirmClock, func(ctx context.Context, _ *pieces.Empty) (*pieces.Empty, error) {
		return new(pieces.Empty), s.Clock.Confirm(ctx)
	})
}

// report cuts what a check found to what fits a response.
func report(err error) *findings {
	f := new(findings)
	if err == nil {
		return f
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if len(f.texts) < maxReported {
			f.texts = append(f.texts, line[:min(len(line), maxFaultText)])
		}
	}
	return f
}

// Status says how the satellite is cared for.
func (s *Server) Status() *Status {
	status := new(Status)
	if err := s.Clock.MayDelete(); err != nil {
		status.Clock = cut(err.Error())
	}
	status.Snapshot, status.Restored = s.Reviver.Restored()
	if s.Schedule == nil {
		return status
	}
	s.Schedule.mu.Lock()
	defer s.Schedule.mu.Unlock()
	status.Scheduled, status.LastBackup, status.Bytes = true, s.Schedule.last.at, s.Schedule.last.bytes
	if s.Schedule.failure != nil {
		status.Failure = cut(s.Schedule.failure.Error())
	}
	return status
}

func cut(text string) string { return text[:min(len(text), maxText)] }

// Client asks a running satellite. It works only for who holds the satellite's identity.
type Client struct {
	pool      *rpc.Pool
	satellite netx.NodeURL
}

// NewClient returns a client; the pool stays the caller's.
func NewClient(pool *rpc.Pool, satellite netx.NodeURL) *Client { return &Client{pool, satellite} }

// Dump writes a dump of the database, as kv.Dump does.
func (c *Client) Dump(ctx context.Context, w io.Writer) error {
	st, err := c.pool.Open(ctx, c.satellite, netx.Control, MethodSnapshot, new(pieces.Empty))
	if err != nil {
		return err
	}
	defer st.Cancel(netx.Cancelled)
	if err := st.CloseWrite(); err != nil {
		return fmt.Errorf("ask for snapshot: %w", err)
	}
	if err := st.Response(new(pieces.Empty), metainfo.Errors(), kv.Errors()); err != nil {
		return err
	}
	if _, err := io.Copy(w, st); err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	return nil
}

// Check has the satellite cross-check its tables, and returns what it found.
func (c *Client) Check(ctx context.Context) ([]string, error) {
	found := new(findings)
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := c.pool.Call(ctx, c.satellite, netx.Control, MethodCheck, new(pieces.Empty), found, metainfo.Errors(), kv.Errors())
	return found.texts, err
}

// Status says how the satellite is cared for.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	status := new(Status)
	err := c.pool.Call(ctx, c.satellite, netx.Control, MethodStatus, new(pieces.Empty), status, metainfo.Errors(), kv.Errors())
	return status, err
}

// ConfirmClock has the satellite believe its clock.
func (c *Client) ConfirmClock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.pool.Call(ctx, c.satellite, netx.Control, MethodConfirmClock, new(pieces.Empty), new(pieces.Empty),
		metainfo.Errors(), kv.Errors())
}
