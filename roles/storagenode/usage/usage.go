package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/roles/storagenode/durable"
)

const (
	version = 1
	// saveAfter is how long a count waits for the disk at most: what a crash may cost.
	saveAfter = 5 * time.Minute
	// sampleEvery is how often what is stored is looked at; deletions in between are blurred.
	sampleEvery = 6 * time.Hour
	// keptMonths is how many files are kept.
	keptMonths = 25

	monthLayout = "2006-01"
	maxFile     = 32 << 20
	// maxOwners bounds the satellites of a day; more are counted under the zero ID.
	maxOwners = 300
)

// ErrMonth is returned for text that is no month.
var ErrMonth = errors.New("not a month like 2026-11")

// Day is what happened on one day for one satellite, in bytes.
type Day struct {
	Put         int64 `json:"put"`
	PutRepair   int64 `json:"put_repair"`
	Get         int64 `json:"get"`
	GetRepair   int64 `json:"get_repair"`
	GetAudit    int64 `json:"get_audit"`
	Settled     int64 `json:"settled"`      // of the downloads of that day, accepted by the satellite
	ByteSeconds int64 `json:"byte_seconds"` // stored
}

func (d *Day) moved() int64 { return d.Put + d.PutRepair + d.Get + d.GetRepair + d.GetAudit }

// Entry is a Day with its date and satellite.
type Entry struct {
	Date      string // 2026-11-22, UTC
	Satellite netx.NodeID
	Day
}

// Options of Open.
type Options struct {
	Dir    string                       // empty: nothing is kept
	Stored func() map[netx.NodeID]int64 // bytes stored now; nil: not sampled
	Now    func() time.Time
}

// Book counts.
type Book struct {
	opts  Options
	dirty chan struct{} // capacity 1: something is to be saved

	mu      sync.Mutex // guards the fields below
	month   string     // of days
	days    map[string]map[string]*Day
	past    map[string]map[string]map[string]*Day // settled late: months that changed after their end
	moved   int64                                 // in month
	sampled time.Time
}

// monthFile is the content of a file.
type monthFile struct {
	Version int                        `json:"version"`
	Days    map[string]map[string]*Day `json:"days"`
}

// Open reads the counts of this month. A file that cannot be read is set aside.
func Open(opts Options) (*Book, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	b := &Book{opts: opts, dirty: make(chan struct{}, 1), past: map[string]map[string]map[string]*Day{}}
	if opts.Dir != "" {
		if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("open usage: %w", err)
		}
	}
	now := opts.Now().UTC()
	days, err := b.load(now.Format(monthLayout))
	if err != nil {
		return nil, err
	}
	b.month, b.days, b.sampled = now.Format(monthLayout), days, now
	for _, owners := range days {
		for _, day := range owners {
			b.moved += day.moved()
		}
	}
	return b, nil
}

func (b *Book) path(month string) string {
	if b.opts.Dir == "" {
		return ""
	}
	return filepath.Join(b.opts.Dir, month+".json")
}

func (b *Book) load(month string) (map[string]map[string]*Day, error) {
	path := b.path(month)
	var file monthFile
	found, err := durable.Load(path, &file, maxFile)
	if errors.Is(err, durable.ErrDamaged) || found && file.Version != version {
		if err := os.Rename(path, path+".damaged"); err != nil {
			return nil, fmt.Errorf("set usage aside: %w", err)
		}
		file.Days = nil
	} else if err != nil {
		return nil, err
	}
	if file.Days == nil {
		file.Days = map[string]map[string]*Day{}
	}
	return file.Days, nil
}

// Moved implements that of piecenode.Ledger.
func (b *Book) Moved(satellite netx.NodeID, action pieces.Action, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.opts.Now().UTC()
	b.turn(now)
	day := ofDay(b.days, now.Format(time.DateOnly), satellite)
	switch action {
	case pieces.ActionPut:
		day.Put += bytes
	case pieces.ActionPutRepair:
		day.PutRepair += bytes
	case pieces.ActionGet:
		day.Get += bytes
	case pieces.ActionGetRepair:
		day.GetRepair += bytes
	case pieces.ActionGetAudit:
		day.GetAudit += bytes
	}
	b.moved += bytes
	b.touch()
}

// Settled notes what a satellite has accepted of the downloads whose limits were made at an instant.
func (b *Book) Settled(satellite netx.NodeID, at time.Time, bytes int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	at = at.UTC()
	b.turn(b.opts.Now().UTC())
	days := b.days
	if month := at.Format(monthLayout); month != b.month {
		var err error
		if days, err = b.pastMonth(month); err != nil {
			return err
		}
	}
	ofDay(days, at.Format(time.DateOnly), satellite).Settled += bytes
	b.touch()
	return nil
}

// pastMonth returns the days of another month than this. The caller holds mu; it happens once a month.
func (b *Book) pastMonth(month string) (map[string]map[string]*Day, error) {
	if days := b.past[month]; days != nil {
		return days, nil
	}
	days, err := b.load(month)
	if err == nil {
		b.past[month] = days
	}
	return days, err
}

func ofDay(days map[string]map[string]*Day, date string, satellite netx.NodeID) *Day {
	owners := days[date]
	if owners == nil {
		owners = map[string]*Day{}
		days[date] = owners
	}
	name := satellite.String()
	if owners[name] == nil && len(owners) >= maxOwners {
		name = netx.NodeID{}.String()
	}
	if owners[name] == nil {
		owners[name] = &Day{}
	}
	return owners[name]
}

// turn begins a new month when it is time. The caller holds mu.
func (b *Book) turn(now time.Time) {
	month := now.Format(monthLayout)
	if month <= b.month { // a clock that went back counts under the month that was begun
		return
	}
	b.past[b.month] = b.days
	b.month, b.days, b.moved = month, map[string]map[string]*Day{}, 0
}

func (b *Book) touch() {
	select {
	case b.dirty <- struct{}{}:
	default: // it is to be saved already
	}
}

// Month is the bytes moved this month, both directions.
func (b *Book) Month() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(b.opts.Now().UTC())
	return b.moved
}

// Sample adds what was stored since the last sample, as if it had been stored all that time.
func (b *Book) Sample() {
	if b.opts.Stored == nil {
		return
	}
	stored := b.opts.Stored()
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.opts.Now().UTC()
	seconds := int64(min(now.Sub(b.sampled), 2*sampleEvery) / time.Second) // the machine may have slept
	b.sampled = now
	b.turn(now)
	if seconds <= 0 {
		return
	}
	for satellite, bytes := range stored {
		if bytes > 0 {
			ofDay(b.days, now.Format(time.DateOnly), satellite).ByteSeconds += bytes * seconds
			b.touch()
		}
	}
}

// Days returns what is known of a month, like 2026-11, in order of date and satellite. Errors: ErrMonth.
func (b *Book) Days(month string) ([]Entry, error) {
	if at, err := time.Parse(monthLayout, month); err != nil || at.Format(monthLayout) != month {
		return nil, fmt.Errorf("%w: %q", ErrMonth, month)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	days := b.past[month]
	if month == b.month {
		days = b.days
	}
	if days == nil {
		var err error
		if days, err = b.load(month); err != nil {
			return nil, err
		}
	}
	var list []Entry
	for _, date := range slices.Sorted(maps.Keys(days)) {
		for _, name := range slices.Sorted(maps.Keys(days[date])) {
			id, err := netx.ParseNodeID(name)
			if err != nil {
				continue // of a file that somebody wrote into
			}
			list = append(list, Entry{Date: date, Satellite: id, Day: *days[date][name]})
		}
	}
	return list, nil
}

// Run samples and saves until ctx ends, and saves once more.
func (b *Book) Run(ctx context.Context) error {
	sample := time.NewTicker(sampleEvery)
	defer sample.Stop()
	save := time.NewTimer(saveAfter)
	save.Stop()
	waiting := false
	for {
		select {
		case <-ctx.Done():
			b.Sample()
			return b.Save()
		case <-sample.C:
			b.Sample()
		case <-b.dirty:
			if !waiting {
				waiting = true
				save.Reset(saveAfter)
			}
		case <-save.C:
			waiting = false
			if err := b.Save(); err != nil {
				b.touch() // tried again; whoever asks for the usage sees what is in memory
			}
		}
	}
}

// Save writes the counts out.
func (b *Book) Save() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opts.Dir == "" {
		clear(b.past)
		return nil
	}
	for month, days := range b.past {
		if err := durable.Save(b.path(month), monthFile{version, days}); err != nil {
			return err
		}
		delete(b.past, month)
	}
	if len(b.days) == 0 {
		return nil
	}
	if err := durable.Save(b.path(b.month), monthFile{version, b.days}); err != nil {
		return err
	}
	return b.prune()
}

// prune removes the oldest files.
func (b *Book) prune() error {
	entries, err := os.ReadDir(b.opts.Dir)
	if err != nil {
		return err
	}
	var months []string // in order of name, as ReadDir has them
	for _, e := range entries {
		month, isMonth := strings.CutSuffix(e.Name(), ".json")
		if _, err := time.Parse(monthLayout, month); isMonth && err == nil {
			months = append(months, e.Name())
		}
	}
	for len(months) > keptMonths {
		if err := os.Remove(filepath.Join(b.opts.Dir, months[0])); err != nil {
			return err
		}
		months = months[1:]
	}
	return nil
}

// Close does nothing: Run has saved.
func (b *Book) Close() error { return nil }
