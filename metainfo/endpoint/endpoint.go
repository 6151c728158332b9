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
}

// Endpoint is the Service of a satellite.
type Endpoint struct {
	opts   Options
	db     *metabase.DB
	gate   *gate
	sealer *sealer
}

var _ metainfo.Service = (*Endpoint)(nil)

// New returns an endpoint. It starts nothing and holds nothing that needs closing.
func New(opts Options) *Endpoint {
	if opts.Underfull == nil {
		opts.Underfull = func(metainfo.StreamID, metainfo.Position) {}
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
			keys:     make(map[[macaroon.TailSize]byte]keyEntry),
			limiters: make(map[metainfo.ProjectID]*rate.Limiter),
		},
		sealer: newSealer(opts.Secret),
	}
}

// ForgetKeys has every API key looked up anew: what was revoked in this process ends at once.
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
