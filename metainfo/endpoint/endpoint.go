package endpoint

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"storj/ecenc"
	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
)

const (
	// DefaultRate bounds the requests of a project in a second.
	DefaultRate = 1000
)

// Options says what an Endpoint works with.
type Options struct {
	DB     *metabase.DB
	Secret ecenc.Key // tokens are sealed under it
	Nodes  NodePicker
	Limits LimitSigner
	Rate   float64 // requests of one project a second; 0: DefaultRate, negative: no limit
	Burst  int     // how many of them at once; 0: as many as a second's
	// Underfull is told of each segment that was committed with fewer than optimal pieces and should be repaired at once.
	// It must not block. Nil: nobody is told; such a segment is found again by its number of pieces.
	Underfull func(stream metainfo.StreamID, position metainfo.Position)
	// Usage takes what is handed out. Nil: nobody is told.
	Usage Usage
}

// Endpoint is the Service of a satellite.
type Endpoint struct {
	opts   Options
	db     *metabase.DB
	gate   *gate
	sealer *sealer
	meter  *meter
	// deletions has a token when there is a deletion to be done. Capacity 1: one round does all there are.
	deletions chan struct{}
	changes   changes
	hints     hints
}

var _ metainfo.Service = (*Endpoint)(nil)

// New returns an endpoint. It starts nothing and holds nothing that needs closing.
func New(opts Options) *Endpoint {
	if opts.Underfull == nil {
		opts.Underfull = func(metainfo.StreamID, metainfo.Position) {}
	}
	if opts.Usage == nil {
		opts.Usage = nobody{}
	}
	limit, burst := rate.Limit(opts.Rate), opts.Burst
	switch {
	case opts.Rate == 0:
		limit = DefaultRate
	case opts.Rate < 0:
		limit = rate.Inf
	}
	if burst == 0 && limit != rate.Inf {
		burst = max(1, int(limit))
	}
	return &Endpoint{
		opts: opts,
		db:   opts.DB,
		gate: &gate{
			db: opts.DB, rate: limit, burst: burst,
			keys:     make(map[string]*keyEntry),
			limiters: make(map[metainfo.ProjectID]*rate.Limiter),
		},
		sealer:    newSealer(opts.Secret),
		meter:     newMeter(opts.DB),
		deletions: make(chan struct{}, 1),
	}
}

// nobody wants to know what is handed out.
type nobody struct{}

func (nobody) Allocated(Allocation) {}

// ForgetKeys has every API key looked up anew, and its project: what was revoked in this process ends at once, and new
// limits hold at once.
func (e *Endpoint) ForgetKeys() { e.gate.forget() }

// ProjectInfo returns what an uplink must know before all else.
func (e *Endpoint) ProjectInfo(ctx context.Context, req *metainfo.ProjectInfoRequest) (*metainfo.ProjectInfo, error) {
	c, err := e.gate.authorize(ctx, req.Auth, macaroon.ProjectInfo, "", nil)
	if err != nil {
		return nil, err
	}
	return &metainfo.ProjectInfo{
		Project: c.project.ID, Salt: c.project.Salt,
		SegmentSize: metainfo.SegmentSize, InlineSize: metainfo.InlineSize, Time: time.Now().UTC(),
	}, nil
}
