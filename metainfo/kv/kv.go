package kv

import (
	"bytes"
	"context"
)

const (
	// MaxKeySize is the size of the longest key in bytes.
	MaxKeySize = 8 << 10
	// MaxValueSize is the size of the largest value in bytes.
	MaxValueSize = 4 << 20
	// MaxTxSize bounds the keys and values that one transaction writes, in bytes. Larger work is cut into several.
	MaxTxSize = 64 << 20
)

// Store is an ordered key-value store. All methods may be called concurrently.
type Store interface {
	// View runs fn on a snapshot. Errors: that of fn, ErrClosed, those of ctx when it ended before fn began.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn and returns nil after what it wrote is durable and visible. fn may run more than once.
	//
	// Errors: that of fn; ErrFull when the disk is; ErrBusy when too many are waiting; ErrUncertain when the outcome
	// could not be learned; those of ctx when it ended before fn began. When ctx ends later the outcome is reported.
	Update(ctx context.Context, fn func(Tx) error) error
	// Stats returns what the engine counts. It may be called at any time before Close.
	Stats() Stats
	// Close waits for running transactions and frees the store. It may be called again.
	Close() error
}

// Stats says how full a store is and what it did since it was opened.
type Stats struct {
	SizeBytes int64  // of the file, or of keys and values in memory
	FreeBytes int64  // of SizeBytes, reusable
	Updates   uint64 // functions that ran in write transactions
	Commits   uint64 // write transactions made durable; one may carry many Updates
}

// Tx is one transaction. It is used by one goroutine, and not after its function returned.
type Tx interface {
	// Get returns the value of key, possibly empty, never nil. Errors: ErrNotFound.
	//
	// Ownership: the value is read only and valid until the transaction ends.
	Get(key []byte) ([]byte, error)
	// Put sets the value of key. Both are copied. Errors: ErrReadOnly in a View, ErrTooLarge, ErrEmptyKey.
	Put(key, value []byte) error
	// Delete removes key, which need not be there. Errors: ErrReadOnly in a View.
	Delete(key []byte) error
	// Cursor walks the keys of r. It must be closed before the function returns.
	Cursor(r Range) Cursor
}

// Cursor walks the keys of a Range in its direction. It starts before the first key.
//
// Key and Value are valid until the next move; they are read only.
type Cursor interface {
	// Next moves to the next key and says whether there is one.
	Next() bool
	// Seek moves to key, or where that is absent to the one which comes next in the direction of the range. It may
	// move both ways and stays inside the range. It says whether there is such a key.
	Seek(key []byte) bool
	Key() []byte
	Value() []byte
	// Err returns what ended the walk early, else nil.
	Err() error
	Close()
}

// Range is the keys in [Start, End), walked upward, or downward if Reverse. A nil End has no upper bound.
type Range struct {
	Start, End []byte
	Reverse    bool
}

// Prefix returns the range of keys that begin with prefix.
func Prefix(prefix []byte) Range {
	return Range{Start: prefix, End: PrefixEnd(prefix)}
}

// Contains says whether key lies in the range.
func (r Range) Contains(key []byte) bool {
	return bytes.Compare(key, r.Start) >= 0 && (r.End == nil || bytes.Compare(key, r.End) < 0)
}

// PrefixEnd returns the smallest key greater than all keys which begin with prefix; nil where there is none.
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

// Scan calls fn for each key of r, in order, until fn says that it wants no more.
//
// Ownership: key and value are read only and valid during the call. fn may write to tx.
func Scan(tx Tx, r Range, fn func(key, value []byte) (more bool, err error)) error {
	c := tx.Cursor(r)
	defer c.Close()
	for c.Next() {
		more, err := fn(c.Key(), c.Value())
		if err != nil || !more {
			return err
		}
	}
	return c.Err()
}

// CheckPut returns the error of writing key and value where they are over a limit. For engines.
func CheckPut(key, value []byte) error {
	switch {
	case len(key) == 0:
		return ErrEmptyKey
	case len(key) > MaxKeySize, len(value) > MaxValueSize:
		return ErrTooLarge
	}
	return nil
}
