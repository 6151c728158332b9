package endpoint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/metabase"
)

const (
	// FlushInterval is how often what was used is written down: what a crash forgets.
	FlushInterval = 10 * time.Second
	// tallyInterval is how often all objects are counted, when somebody needs to know.
	tallyInterval = 10 * time.Minute
	// recountAfter is how soon a count is made again when a project is at its limit.
	recountAfter = 15 * time.Second
	// tallyRest is how many times as long as a count took the next one waits at least.
	tallyRest = 20
	// flushRows is how many projects are written in one transaction.
	flushRows = 1000
)

// totals is what a project stores.
type totals struct{ storage, objects, segments int64 }

func totalsOf(o *metainfo.Object) totals {
	return totals{storage: o.PlainSize, objects: 1, segments: int64(o.Segments)}
}

func (t *totals) add(d totals, sign int64) {
	t.storage = max(0, t.storage+sign*d.storage)
	t.objects = max(0, t.objects+sign*d.objects)
	t.segments = max(0, t.segments+sign*d.segments)
}

// meter knows what projects use: what was counted last, and what was written and removed since. Several processes on
// one database know of each other's writes after the next count.
type meter struct {
	db       *metabase.DB
	counting chan struct{} // capacity 1: who counts holds the place

	mu       sync.Mutex // guards the fields below
	projects map[metainfo.ProjectID]*used
	counted  time.Time     // when the last count of this process ended
	took     time.Duration // that count
	wanted   bool          // somebody needs a count
}

type used struct {
	row     usageRow
	since   [2]totals // added and removed since the running, or the last, count began
	unsaved int64     // egress that the database does not know of
	dirty   bool
}

func newMeter(db *metabase.DB) *meter {
	return &meter{db: db, counting: make(chan struct{}, 1), projects: make(map[metainfo.ProjectID]*used)}
}

// load has the project known. There are as many as the owner made.
func (m *meter) load(ctx context.Context, project metainfo.ProjectID) error {
	m.mu.Lock()
	known := m.projects[project] != nil
	m.mu.Unlock()
	if known {
		return nil
	}
	var row usageRow
	err := m.db.Store().View(ctx, func(tx kv.Tx) (err error) {
		row, err = usageTable().Get(tx, project)
		if errors.Is(err, kv.ErrNotFound) {
			row, err = usageRow{}, nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("usage of project: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.projects[project] == nil {
		m.projects[project] = &used{row: row}
	}
	return nil
}

// room says whether a project may store more. Errors: metainfo.ErrStorageLimit, metainfo.ErrObjectLimit.
func (m *meter) room(ctx context.Context, c *caller) error {
	return m.reserve(ctx, c, totals{})
}

// reserve counts what is about to be stored, if it may be; after a failure it is given back by release.
//
// Errors: metainfo.ErrStorageLimit, metainfo.ErrObjectLimit.
func (m *meter) reserve(ctx context.Context, c *caller, add totals) error {
	if err := m.load(ctx, c.project.ID); err != nil {
		return err
	}
	err := m.tryReserve(c, add)
	if err == nil || !m.recount() {
		return err
	}
	if err := m.tally(ctx); err != nil {
		return err
	}
	return m.tryReserve(c, add)
}

func (m *meter) tryReserve(c *caller, add totals) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, l := m.projects[c.project.ID], &c.project.Limits
	if l.Storage > 0 || l.Objects > 0 || l.Segments > 0 {
		m.wanted = true
	}
	switch now := &u.row.totals; {
	case over(now.storage, add.storage, l.Storage):
		return metainfo.ErrStorageLimit
	case over(now.objects, add.objects, l.Objects), over(now.segments, add.segments, l.Segments):
		return metainfo.ErrObjectLimit
	}
	u.change(add, 1)
	return nil
}

// recount says whether to count anew: the project may have removed something, the size of which is not told here.
func (m *meter) recount() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.counted) >= max(recountAfter, tallyRest*m.took)
}

// over says whether a limit leaves no room: for an amount, or where that is 0, for anything.
func over(used, amount, limit int64) bool { return limit > 0 && used+max(1, amount) > limit }

// release counts what was removed, or was not stored after all.
func (m *meter) release(project metainfo.ProjectID, gone totals) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u := m.projects[project]; u != nil {
		u.change(gone, -1)
	}
}

// settle corrects what was reserved for a commit, now that the object is known. One that is older than the request was
// there before: the request repeats one whose answer was lost.
func (m *meter) settle(c *caller, reserved totals, object *metainfo.Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.projects[c.project.ID]
	u.change(reserved, -1)
	if !object.Created.Before(c.now) {
		u.change(totalsOf(object), 1)
	}
}

func (u *used) change(d totals, sign int64) {
	if d == (totals{}) {
		return
	}
	u.row.totals.add(d, sign)
	if sign > 0 {
		u.since[0].add(d, 1)
	} else {
		u.since[1].add(d, 1)
	}
	u.dirty = true
}

// egress counts bytes that are handed out for download. whole is what the download will come to, counted or not.
//
// Errors: metainfo.ErrEgressLimit.
func (m *meter) egress(ctx context.Context, c *caller, bytes, whole int64) error {
	if err := m.load(ctx, c.project.ID); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.projects[c.project.ID]
	u.turn(c.now)
	if l := c.project.Limits.Egress; l > 0 && whole > 0 && u.row.egress+whole > l {
		return metainfo.ErrEgressLimit
	}
	if bytes > 0 {
		u.row.egress += bytes
		u.unsaved += bytes
		u.dirty = true
	}
	return nil
}

func monthOf(t time.Time) int64 {
	t = t.UTC()
	return int64(t.Year())*12 + int64(t.Month())
}

// turn begins a new month.
func (u *used) turn(now time.Time) {
	if month := monthOf(now); month > u.row.month {
		u.row.month, u.row.egress, u.unsaved = month, 0, 0
	}
}

// usage returns what a project uses, counted now if it never was.
func (m *meter) usage(ctx context.Context, project metainfo.ProjectID, now time.Time) (totals, int64, error) {
	if err := m.load(ctx, project); err != nil {
		return totals{}, 0, err
	}
	m.mu.Lock()
	m.wanted = true
	counted := !m.projects[project].row.tallied.IsZero()
	m.mu.Unlock()
	if !counted {
		if err := m.tally(ctx); err != nil {
			return totals{}, 0, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.projects[project]
	u.turn(now)
	return u.row.totals, u.row.egress, nil
}

// tally counts all objects of all projects. What is written meanwhile may be counted twice, until the next count.
//
// Those who ask while somebody counts wait for that count: it knows of what they wrote.
func (m *meter) tally(ctx context.Context) error {
	asked := time.Now()
	select {
	case m.counting <- struct{}{}:
		defer func() { <-m.counting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	begun := time.Now()
	m.mu.Lock()
	if m.counted.After(asked) {
		m.mu.Unlock()
		return nil
	}
	for _, u := range m.projects {
		u.since = [2]totals{}
	}
	m.mu.Unlock()
	list, err := m.db.BucketTotals(ctx)
	if err != nil {
		return fmt.Errorf("count objects: %w", err)
	}
	sums := make(map[metainfo.ProjectID]totals)
	for _, t := range list {
		sum := sums[t.Project]
		sum.add(totals{storage: t.PlainSize, objects: t.Objects, segments: t.Segments}, 1)
		sums[t.Project] = sum
		if err := m.load(ctx, t.Project); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, u := range m.projects {
		sum := sums[id]
		sum.add(u.since[0], 1)
		sum.add(u.since[1], -1)
		u.dirty = u.dirty || sum != u.row.totals || u.row.tallied.IsZero()
		u.row.totals, u.row.tallied = sum, begun.UTC()
	}
	m.counted, m.took, m.wanted = time.Now(), time.Since(begun), false
	return nil
}

// due says whether it is time to count.
func (m *meter) due(interval time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wanted && time.Since(m.counted) >= max(interval, tallyRest*m.took)
}

// flush writes down what is known. Egress is added to what others wrote; of totals the last one stands.
func (m *meter) flush(ctx context.Context) error {
	type change struct {
		id  metainfo.ProjectID
		row usageRow
		add int64
	}
	m.mu.Lock()
	var list []change
	for id, u := range m.projects {
		if u.dirty && len(list) < flushRows {
			list = append(list, change{id, u.row, u.unsaved})
			u.dirty, u.unsaved = false, 0
		}
	}
	m.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	stored := make([]usageRow, len(list))
	err := m.db.Store().Update(ctx, func(tx kv.Tx) error {
		for i, c := range list {
			old, err := usageTable().Get(tx, c.id)
			if err != nil && !errors.Is(err, kv.ErrNotFound) {
				return err
			}
			row := c.row
			switch {
			case old.month == row.month:
				row.egress = old.egress + c.add
			case old.month > row.month: // of a process whose clock is ahead
				row.month, row.egress = old.month, old.egress
			}
			stored[i] = row
			if err := usageTable().Put(tx, c.id, &row); err != nil {
				return err
			}
		}
		return nil
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, c := range list {
		switch u := m.projects[c.id]; {
		case err != nil && u.row.month == c.row.month:
			u.dirty, u.unsaved = true, u.unsaved+c.add
		case err != nil:
			u.dirty = true
		case u.row.month == stored[i].month:
			u.row.egress = stored[i].egress + u.unsaved // with that of other processes
		}
	}
	if err != nil {
		return fmt.Errorf("write down usage: %w", err)
	}
	return nil
}

// FlushUsage writes down what projects use. It is called every FlushInterval, and in the end.
func (e *Endpoint) FlushUsage(ctx context.Context) error { return e.meter.flush(ctx) }

// TallyUsage counts the objects of all projects if somebody needs to know and the last count is old enough: interval,
// or ten minutes where that is 0.
func (e *Endpoint) TallyUsage(ctx context.Context, interval time.Duration) error {
	if interval == 0 {
		interval = tallyInterval
	}
	if !e.meter.due(interval) {
		return nil
	}
	return e.meter.tally(ctx)
}

// ProjectUsage says what the project uses and may use. A key for a part of it is not told.
func (e *Endpoint) ProjectUsage(ctx context.Context, req *metainfo.ProjectUsageRequest) (
	*metainfo.ProjectUsage, error,
) {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return nil, err
	}
	if !c.may(macaroon.Read, "", nil) && !c.may(macaroon.Write, "", nil) {
		return nil, metainfo.ErrDenied
	}
	return e.UsageOf(ctx, &c.project)
}

// UsageOf says what a project uses and may use, to its owner.
func (e *Endpoint) UsageOf(ctx context.Context, project *metainfo.Project) (*metainfo.ProjectUsage, error) {
	stored, egress, err := e.meter.usage(ctx, project.ID, time.Now())
	if err != nil {
		return nil, err
	}
	buckets, err := e.countBuckets(ctx, project.ID)
	if err != nil {
		return nil, err
	}
	return &metainfo.ProjectUsage{
		Limits: project.Limits, Storage: stored.storage, Objects: stored.objects, Segments: stored.segments,
		Buckets: buckets, Egress: egress,
	}, nil
}

func (e *Endpoint) countBuckets(ctx context.Context, project metainfo.ProjectID) (count int64, err error) {
	for cursor, more := "", true; more; {
		var page []metainfo.Bucket
		if page, more, err = e.db.Buckets(ctx, project, cursor, metainfo.MaxList); err != nil {
			return 0, err
		}
		count += int64(len(page))
		if more {
			cursor = page[len(page)-1].Name
		}
	}
	return count, nil
}
