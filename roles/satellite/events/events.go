package events

// The goroutine of Run: it waits for the signal of Add, takes the numbers of what changed with mu held, and writes them
// in one transaction without it. When ctx ends it writes what is left.

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"storj/metainfo/kv"
)

const (
	// MaxEvents is how many are kept.
	MaxEvents = 1000
	// repeatWithin is how long a text that comes again counts as the same event.
	repeatWithin = time.Hour
	// lookBack is how many events are searched for the same text.
	lookBack = 64
	// settle is how long after the first Add its row is written: many come together.
	settle = time.Second
	// retryAfter is how long after a failure they are written again.
	retryAfter = time.Minute
)

// Kind groups events. Services may have kinds of their own, of at most 32 bytes.
type Kind string

// The kinds that are used by several services.
const (
	NodeJoined   Kind = "node-joined"
	NodeLost     Kind = "node-lost"
	NodeBack     Kind = "node-back"
	NodeExit     Kind = "node-exit"
	Verdict      Kind = "verdict" // a node was suspended, quarantined, disqualified or reinstated
	Damage       Kind = "damage"  // reported by a node itself
	Repair       Kind = "repair"
	Irreparable  Kind = "irreparable"
	Rebalance    Kind = "rebalance"
	Garbage      Kind = "garbage"
	Backup       Kind = "backup"
	Clock        Kind = "clock"
	SatelliteRan Kind = "satellite"
)

// Event is something that happened.
type Event struct {
	Time  time.Time // first
	Last  time.Time // last; the same when Count is 1
	Count uint32
	Kind  Kind
	Text  string // one sentence
}

// Options tunes a Log. The zero value works.
type Options struct {
	// Failed is told when events could not be written; nil: nobody. They stay in memory and are tried again.
	Failed func(err error)
}

// Log is the events of a satellite.
type Log struct {
	store  kv.Store
	opts   Options
	signal chan struct{} // capacity 1: there is something to write

	mu    sync.Mutex // guards the fields below
	list  []Event    // oldest first
	first uint64     // number of list[0]
	dirty map[uint64]bool
}

// Open reads the events that are in the store.
func Open(ctx context.Context, store kv.Store, opts Options) (*Log, error) {
	l := &Log{store: store, opts: opts, signal: make(chan struct{}, 1), dirty: make(map[uint64]bool)}
	err := store.View(ctx, func(tx kv.Tx) error {
		l.list, l.first = nil, 0
		next := uint64(0)
		return table().Scan(tx, table().All(), func(number uint64, e *Event) (bool, error) {
			if number != next { // a hole would shift all numbers: start anew behind it
				l.list, l.first = l.list[:0], number
			}
			l.list, next = append(l.list, *e), number+1
			return true, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return l, nil
}

// Add notes that something happened, now.
func (l *Log) Add(kind Kind, text string) {
	kind, text = Kind(clean(string(kind), maxKind)), clean(text, maxText)
	now := time.Now().UTC()
	l.mu.Lock()
	l.dirty[l.add(kind, text, now)] = true
	l.mu.Unlock()
	l.wake()
}

// Addf is Add with a format.
func (l *Log) Addf(kind Kind, format string, args ...any) { l.Add(kind, fmt.Sprintf(format, args...)) }

// add returns the number of the event. It is called with mu held.
func (l *Log) add(kind Kind, text string, now time.Time) uint64 {
	for i := len(l.list) - 1; i >= max(0, len(l.list)-lookBack); i-- {
		if e := &l.list[i]; e.Kind == kind && e.Text == text && now.Sub(e.Last) < repeatWithin {
			e.Last = now
			e.Count++
			return l.first + uint64(i)
		}
	}
	l.list = append(l.list, Event{Time: now, Last: now, Count: 1, Kind: kind, Text: text})
	if over := len(l.list) - MaxEvents; over > 0 {
		l.list = append(l.list[:0], l.list[over:]...)
		l.first += uint64(over)
	}
	return l.first + uint64(len(l.list)) - 1
}

// List returns up to limit events, the newest first.
func (l *Log) List(limit int) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit = min(max(limit, 0), len(l.list))
	list := make([]Event, limit)
	for i := range list {
		list[i] = l.list[len(l.list)-1-i]
	}
	return list
}

// Run writes events until ctx ends, and then the rest.
func (l *Log) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return l.write(context.WithoutCancel(ctx))
		case <-l.signal:
		}
		if !pause(ctx, settle) {
			continue
		}
		if err := l.write(ctx); err != nil && ctx.Err() == nil {
			if l.opts.Failed != nil {
				l.opts.Failed(err)
			}
			pause(ctx, retryAfter)
			l.wake()
		}
	}
}

// wake has Run write, soon.
func (l *Log) wake() {
	select {
	case l.signal <- struct{}{}:
	default: // Run knows already
	}
}

// pause waits and says whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Close does nothing: the store is not the log's.
func (l *Log) Close() error { return nil }

// write stores what changed and deletes the oldest. What could not be written stays marked.
func (l *Log) write(ctx context.Context) error {
	l.mu.Lock()
	rows := make(map[uint64]Event, len(l.dirty))
	for number := range l.dirty {
		if number >= l.first {
			rows[number] = l.list[number-l.first]
		}
	}
	clear(l.dirty)
	first := l.first
	l.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	err := l.store.Update(ctx, func(tx kv.Tx) error {
		for number, e := range rows {
			if err := table().Put(tx, number, &e); err != nil {
				return err
			}
		}
		return deleteBelow(tx, first)
	})
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for number := range rows {
		l.dirty[number] = true
	}
	return fmt.Errorf("write events: %w", err)
}

// deleteBelow deletes the rows before a number.
func deleteBelow(tx kv.Tx, number uint64) error {
	r := table().All()
	r.End = table().Key(nil, number)
	var old []uint64
	err := table().Scan(tx, r, func(number uint64, _ *Event) (bool, error) {
		old = append(old, number)
		return true, nil
	})
	for _, number := range old {
		if err == nil {
			err = table().Delete(tx, number)
		}
	}
	return err
}

// clean cuts a text to size and takes out what would run on a terminal.
func clean(text string, size int) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	for len(text) > size {
		_, last := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-last]
	}
	return text
}
