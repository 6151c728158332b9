package kv

import (
	"context"
	"errors"
	"fmt"

	"storj/ecenc/wire"
)

// formatKey is where the name and version of the layout stand.
const formatKey = "\x00format"

// maxNameSize is the size of the longest format name in bytes.
const maxNameSize = 64

// Format names what a store holds and the version of its layout.
type Format struct {
	Name    string
	Version uint64
}

// Fields codes the format for wire.
func (f *Format) Fields(c *wire.Codec) {
	c.String(1, &f.Name, maxNameSize)
	c.Uint(2, &f.Version)
}

// Claim marks an empty store as holding want, and returns what the store holds.
//
// A version lower than wanted is returned as it is: who migrates writes the new one with SetFormat, in the transaction
// that changes the data. Errors: ErrNewer, ErrFormat where the store is of another name or holds unmarked keys.
func Claim(ctx context.Context, s Store, want Format) (have Format, err error) {
	empty := false
	err = s.View(ctx, func(tx Tx) (err error) {
		have, empty, err = readFormat(tx)
		return err
	})
	if err == nil && empty {
		have = want
		err = s.Update(ctx, func(tx Tx) error { return SetFormat(tx, want) })
	}
	switch {
	case err != nil:
		return Format{}, fmt.Errorf("claim format: %w", err)
	case have.Name != want.Name:
		return have, fmt.Errorf("%w: %q, not %q", ErrFormat, have.Name, want.Name)
	case have.Version > want.Version:
		return have, fmt.Errorf("%w: %s version %d, this program knows up to %d",
			ErrNewer, want.Name, have.Version, want.Version)
	}
	return have, nil
}

// SetFormat writes what the store holds.
func SetFormat(tx Tx, f Format) error {
	return tx.Put([]byte(formatKey), wire.Marshal(&f))
}

// readFormat returns the format, or says that the store has no keys at all. Unmarked keys are the unnamed format.
func readFormat(tx Tx) (f Format, empty bool, err error) {
	b, err := tx.Get([]byte(formatKey))
	if errors.Is(err, ErrNotFound) {
		c := tx.Cursor(Range{})
		defer c.Close()
		return Format{}, !c.Next() && c.Err() == nil, c.Err()
	}
	if err != nil {
		return Format{}, false, err
	}
	if err := wire.Unmarshal(b, &f); err != nil {
		return Format{}, false, fmt.Errorf("%w: format: %w", ErrCorrupt, err)
	}
	return f, false, nil
}
