package kv

import (
	"bytes"
	"errors"
	"fmt"

	"storj/ecenc/wire"
)

// KeyCodec turns the keys of a table into bytes that sort alike, and back.
type KeyCodec[K any] struct {
	// Append appends the bytes of key to dst.
	Append func(dst []byte, key K) []byte
	// Parse reads the whole of b and keeps nothing of it. It says whether Append can have made it.
	Parse func(b []byte) (key K, ok bool)
}

// Row is a pointer to V that lists its fields for wire.
type Row[V any] interface {
	*V
	wire.Message
}

// Table is the rows of one kind: keys that share a prefix, values that are messages. It holds no data and may be
// copied and used concurrently; a row belongs to the caller.
type Table[K, V any, P Row[V]] struct {
	prefix string
	codec  KeyCodec[K]
}

// NewTable returns the table under prefix, which must not be a prefix of another table's.
func NewTable[K, V any, P Row[V]](prefix string, codec KeyCodec[K]) Table[K, V, P] {
	return Table[K, V, P]{prefix: prefix, codec: codec}
}

// keySpace is what most keys take, in bytes; room for one is made on the stack.
const keySpace = 128

// Get returns the row of key. Errors: ErrNotFound, ErrCorrupt.
func (t Table[K, V, P]) Get(tx Tx, key K) (row V, err error) {
	b, err := tx.Get(t.Key(make([]byte, 0, keySpace), key))
	if err != nil {
		return row, err
	}
	return t.decode(b)
}

// Has says whether there is a row of key.
func (t Table[K, V, P]) Has(tx Tx, key K) (bool, error) {
	_, err := tx.Get(t.Key(make([]byte, 0, keySpace), key))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Put sets the row of key.
func (t Table[K, V, P]) Put(tx Tx, key K, row *V) error {
	return tx.Put(t.Key(make([]byte, 0, keySpace), key), wire.Marshal(P(row)))
}

// Delete removes the row of key, which need not be there.
func (t Table[K, V, P]) Delete(tx Tx, key K) error {
	return tx.Delete(t.Key(make([]byte, 0, keySpace), key))
}

// Key appends the stored form of key, with the prefix of the table, to dst.
func (t Table[K, V, P]) Key(dst []byte, key K) []byte {
	return t.codec.Append(append(dst, t.prefix...), key)
}

// All returns the range of the whole table.
func (t Table[K, V, P]) All() Range { return Prefix([]byte(t.prefix)) }

// Prefix returns the range of rows whose key begins with part: the first parts of what the key codec appends.
func (t Table[K, V, P]) Prefix(part []byte) Range {
	return Prefix(append([]byte(t.prefix), part...))
}

// Scan calls fn for each row of r, in order, until fn says that it wants no more. fn may write to tx.
//
// r is in stored keys, as All, Prefix and Key make them, and must lie in the table.
func (t Table[K, V, P]) Scan(tx Tx, r Range, fn func(key K, row *V) (more bool, err error)) error {
	return Scan(tx, r, func(stored, value []byte) (bool, error) {
		key, err := t.ParseKey(stored)
		if err != nil {
			return false, err
		}
		row, err := t.decode(value)
		if err != nil {
			return false, err
		}
		return fn(key, &row)
	})
}

// Rows opens a cursor over r, as for Scan. It must be closed.
func (t Table[K, V, P]) Rows(tx Tx, r Range) Rows[K, V, P] {
	return Rows[K, V, P]{Cursor: tx.Cursor(r), table: t}
}

// ParseKey reads a stored key. Errors: ErrCorrupt.
func (t Table[K, V, P]) ParseKey(stored []byte) (key K, err error) {
	b, ok := bytes.CutPrefix(stored, []byte(t.prefix))
	if ok {
		key, ok = t.codec.Parse(b)
	}
	if !ok {
		return key, fmt.Errorf("%w: key in table %q", ErrCorrupt, t.prefix)
	}
	return key, nil
}

// decode copies b, since the message will alias it.
func (t Table[K, V, P]) decode(b []byte) (row V, err error) {
	if err := wire.Unmarshal(bytes.Clone(b), P(&row)); err != nil {
		return row, fmt.Errorf("%w: row in table %q: %w", ErrCorrupt, t.prefix, err)
	}
	return row, nil
}

// Rows is a Cursor that reads the keys and rows of a table on demand.
type Rows[K, V any, P Row[V]] struct {
	Cursor
	table Table[K, V, P]
}

// RowKey reads the key under the cursor. Errors: ErrCorrupt.
func (r Rows[K, V, P]) RowKey() (K, error) { return r.table.ParseKey(r.Cursor.Key()) }

// Row reads the row under the cursor. Errors: ErrCorrupt.
func (r Rows[K, V, P]) Row() (V, error) { return r.table.decode(r.Cursor.Value()) }
