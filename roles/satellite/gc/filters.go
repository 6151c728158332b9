package gc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/filter"
)

const (
	// DefaultSkew is how much older than the pass a piece must be to be in question. Source: the existing system.
	DefaultSkew = 72 * time.Hour
	// DefaultEvery is how often a node gets a filter.
	DefaultEvery = 24 * time.Hour
	// DefaultMemory bounds the filters of a pass in bytes, but for a single one that is larger.
	DefaultMemory = 256 << 20
	// MaxAge is how long after its pass a filter may be sent.
	MaxAge = 7 * 24 * time.Hour
	// Margin is how long before the pass began copies are added: for transactions on their way and for clocks set back.
	Margin = 24 * time.Hour
	// maxDrift is by how much the clock may be set during a pass.
	maxDrift = time.Hour

	minCapacity = 1024 // pieces of the smallest filter
	shrinkFrom  = 1000 // pieces from which a node that lost more than half is looked at twice
)

// Skew covers uploads that were begun before a piece of theirs was stored, and clocks.
var _ [1]struct{} = [min(DefaultSkew/(metainfo.MaxUploadAge+pieces.MaxClockSkew), 1)]struct{}{}

// ErrPaused is why no filters are made after the owner said so.
var ErrPaused = errors.New("garbage collection is paused by the owner")

var (
	errUnknownNode = errors.New("segment names a node that the database does not know")
	errClock       = errors.New("the clock was set while the pass ran")
)

// Source is what filters are made from; metabase.DB is one.
type Source interface {
	NodeIDs(ctx context.Context, aliases []metainfo.NodeAlias) ([]netx.NodeID, error)
	Nodes(ctx context.Context) ([]metabase.Node, error)
	// CopiedSegments calls fn for the segments of all streams that were noted since, as they are at one instant.
	CopiedSegments(ctx context.Context, since time.Time, fn func([]metainfo.Segment) error) error
	PruneCopies(ctx context.Context, before time.Time) error
	Store() kv.Store
}

// Nodes says where nodes are.
type Nodes interface {
	Node(id netx.NodeID) (url netx.NodeURL, online, known bool)
}

// Options says what Filters work with. A zero field is its default.
type Options struct {
	DB    Source
	Nodes Nodes
	Pool  *rpc.Pool
	// Hold says why no filter may be made, or be sent to the node (zero: any node); nil: nothing holds it.
	Hold func(node netx.NodeID) error
	// Event is told what the owner may want to know. It must not block. Nil: nobody.
	Event func(text string)

	Skew      time.Duration
	Every     time.Duration // negative: each pass
	MaxMemory int64         // bytes
	Metrics   *metrics.Set
	Log       zerolog.Logger
}

// Filters makes garbage filters and sends them.
type Filters struct {
	opts   Options
	log    zerolog.Logger
	wake   chan struct{} // capacity 1: something was sealed
	pieces *metrics.Counter
	sends  *metrics.Counter
	failed *metrics.Counter

	pass *pass // of the loop's goroutine; nil: none, or sitting out

	mu     sync.Mutex // guards the fields below
	state  stateRow
	counts map[metainfo.NodeAlias]int64
	sealed map[netx.NodeID]*sealed // until sent
	status map[netx.NodeID]NodeStatus
	held   error // why the last pass made none
}

var _ rangedloop.Observer = (*Filters)(nil)

// New returns filters that know nothing of earlier passes; see Load.
func New(opts Options) *Filters {
	if opts.Skew == 0 {
		opts.Skew = DefaultSkew
	}
	if opts.Every == 0 {
		opts.Every = DefaultEvery
	}
	if opts.MaxMemory == 0 {
		opts.MaxMemory = DefaultMemory
	}
	if opts.Hold == nil {
		opts.Hold = func(netx.NodeID) error { return nil }
	}
	if opts.Event == nil {
		opts.Event = func(string) {}
	}
	if opts.Metrics == nil {
		opts.Metrics = metrics.NewSet()
	}
	f := &Filters{
		opts: opts, log: opts.Log.With().Str("svc", "gc").Logger(), wake: make(chan struct{}, 1),
		pieces: opts.Metrics.NewCounter("storj_gc_filter_pieces_total"),
		sends:  opts.Metrics.NewCounter("storj_gc_filters_sent_total"),
		failed: opts.Metrics.NewCounter("storj_gc_filters_failed_total"),
		counts: make(map[metainfo.NodeAlias]int64), sealed: make(map[netx.NodeID]*sealed),
		status: make(map[netx.NodeID]NodeStatus),
	}
	opts.Metrics.NewGauge("storj_gc_filters_waiting", func() float64 { return float64(f.waiting()) })
	return f
}

// Load reads what earlier passes left.
func (f *Filters) Load(ctx context.Context) error {
	err := f.opts.DB.Store().View(ctx, func(tx kv.Tx) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		state, err := stateTable().Get(tx, struct{}{})
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		f.state = state
		err = countTable().Scan(tx, countTable().All(), func(alias metainfo.NodeAlias, row *countRow) (bool, error) {
			f.counts[alias] = row.pieces
			return true, nil
		})
		if err != nil {
			return err
		}
		return nodeTable().Scan(tx, nodeTable().All(), func(id netx.NodeID, row *NodeStatus) (bool, error) {
			row.Node = id
			f.status[id] = *row
			return true, nil
		})
	})
	if err != nil {
		return fmt.Errorf("load garbage filters: %w", err)
	}
	return nil
}

// pass is what one pass collects.
type pass struct {
	f       *Filters
	started time.Time // with the monotonic clock
	seed    uint64
	build   map[metainfo.NodeAlias]bool // whose filters are made; nil: only count
	next    metainfo.NodeAlias          // where the next pass goes on; 0: all were made

	mu    sync.Mutex // guards the field below
	nodes map[metainfo.NodeAlias]*building
}

// building is one node's pieces.
type building struct {
	alias metainfo.NodeAlias
	node  netx.NodeID

	mu     sync.Mutex // guards the fields below
	count  int64
	filter *filter.Filter // nil: only counted
}

// sealed is a filter that may be sent.
type sealed struct {
	header pieces.RetainHeader
	bits   []byte
	made   time.Time // when its pass began
}

// Start begins a pass, or sits it out when filters are not due.
func (f *Filters) Start(ctx context.Context, started time.Time) error {
	f.pass = nil
	held := f.hold(netx.NodeID{})
	f.mu.Lock()
	f.held = held
	state, counted := f.state, len(f.counts) > 0
	f.mu.Unlock()
	due := !counted || !state.round.IsZero() || started.Sub(state.built) >= f.opts.Every
	if held != nil || !due {
		return nil
	}
	nodes, err := f.opts.DB.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	p := &pass{f: f, started: time.Now(), seed: rand.Uint64(), nodes: make(map[metainfo.NodeAlias]*building)}
	if counted {
		p.choose(nodes, state.next)
	}
	f.pass = p
	return nil
}

// hold says why no filter may be made, or be sent to the node.
func (f *Filters) hold(node netx.NodeID) error {
	f.mu.Lock()
	paused := f.state.paused
	f.mu.Unlock()
	if time.Now().Before(paused) {
		return fmt.Errorf("%w until %s", ErrPaused, paused.Format(time.RFC3339))
	}
	return f.opts.Hold(node)
}

// choose takes nodes from next on, in order of alias, while their filters fit into memory; at least one.
func (p *pass) choose(nodes []metabase.Node, next metainfo.NodeAlias) {
	p.build = make(map[metainfo.NodeAlias]bool)
	slices.SortFunc(nodes, func(a, b metabase.Node) int { return cmp.Compare(a.Alias, b.Alias) })
	room := p.f.opts.MaxMemory
	for _, n := range nodes {
		if n.Alias < next {
			continue
		}
		size := filterSize(capacity(p.f.expected(n.Alias)))
		if size > room && len(p.build) > 0 {
			p.next = n.Alias
			return
		}
		room -= size
		p.build[n.Alias] = true
	}
}

// capacity is for how many pieces a filter is made whose node had count.
func capacity(count int64) int64 { return max(count+count/4, minCapacity) }

// filterSize is about what a filter takes in bytes: 9.6 bits a piece.
func filterSize(pieces int64) int64 { return pieces*6/5 + 64 }

// Fork returns what looks at one range.
func (f *Filters) Fork(context.Context) (rangedloop.Partial, error) {
	if f.pass == nil {
		return idle{}, nil
	}
	return &partial{pass: f.pass, known: make(map[metainfo.NodeAlias]*building)}, nil
}

// Join has nothing to do: partials share the filters of nodes.
func (f *Filters) Join(context.Context, rangedloop.Partial) error { return nil }

// idle sits a pass out.
type idle struct{}

func (idle) Process(context.Context, []metainfo.Segment) error { return nil }

// partial adds the segments of one range.
type partial struct {
	pass  *pass
	known map[metainfo.NodeAlias]*building
}

// Process adds every piece to the filter of its node.
func (p *partial) Process(ctx context.Context, segments []metainfo.Segment) error {
	for i := range segments {
		s := &segments[i]
		for _, piece := range s.Pieces {
			b := p.known[piece.Alias]
			if b == nil {
				var err error
				if b, err = p.pass.node(ctx, piece.Alias); err != nil {
					return fmt.Errorf("segment %s of stream %s: %w", s.Position, s.Stream, err)
				}
				p.known[piece.Alias] = b
			}
			b.add(s.Root, piece.Number)
		}
	}
	return nil
}

func (b *building) add(root pieces.PieceID, number int) {
	var id pieces.PieceID
	if b.filter != nil { // it is set or not for good
		id = root.Derive(b.node, number)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	if b.filter != nil {
		b.filter.Add(id)
	}
}

// node returns what collects the pieces of a node. Errors: errUnknownNode, those of the database.
func (p *pass) node(ctx context.Context, alias metainfo.NodeAlias) (*building, error) {
	ids, err := p.f.opts.DB.NodeIDs(ctx, []metainfo.NodeAlias{alias})
	if err != nil || alias == 0 {
		return nil, fmt.Errorf("%w: alias %d: %w", errUnknownNode, alias, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if b := p.nodes[alias]; b != nil {
		return b, nil
	}
	b := &building{alias: alias, node: ids[0]}
	if p.build[alias] {
		b.filter = filter.New(capacity(p.f.expected(alias)), p.seed, filter.DefaultRate)
	}
	p.nodes[alias] = b
	return b, nil
}

// expected is how many pieces a node had in an earlier pass.
func (f *Filters) expected(alias metainfo.NodeAlias) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[alias]
}
