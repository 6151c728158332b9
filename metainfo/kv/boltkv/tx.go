package boltkv

import (
	"bytes"

	bolt "go.etcd.io/bbolt"

	"storj/metainfo/kv"
	"storj/metainfo/kv/ordered"
)

// tx is one function's transaction: what the batch has written so far, and itself, over the pages of the file.
type tx struct {
	bucket   *bolt.Bucket
	writes   ordered.Map[write]
	bytes    int
	readOnly bool
	done     bool
	tight    bool // count in grown
	grown    int  // bytes written less bytes freed
}

// Get implements kv.Tx.
func (t *tx) Get(key []byte) ([]byte, error) {
	if t.done {
		return nil, kv.ErrTxDone
	}
	value := []byte(nil)
	if w, ok := t.writes.Get(key); ok {
		value = w.value
	} else {
		value = t.bucket.Get(key)
	}
	if value == nil {
		return nil, kv.ErrNotFound
	}
	return value[:len(value):len(value)], nil
}

// Put implements kv.Tx.
func (t *tx) Put(key, value []byte) error {
	if err := t.writable(len(key) + len(value)); err != nil {
		return err
	}
	if err := kv.CheckPut(key, value); err != nil {
		return err
	}
	if t.tight {
		t.grown += len(key) + len(value) - t.sizeOf(key)
	}
	both := append(append(make([]byte, 0, len(key)+len(value)), key...), value...)
	t.writes.Set(both[:len(key):len(key)], write{both[len(key):]})
	return nil
}

// Delete implements kv.Tx.
func (t *tx) Delete(key []byte) error {
	if err := t.writable(len(key)); err != nil {
		return err
	}
	if t.tight {
		t.grown -= t.sizeOf(key)
	}
	if t.bucket.Get(key) == nil {
		t.writes.Delete(key)
		return nil
	}
	t.writes.Set(bytes.Clone(key), write{})
	return nil
}

// sizeOf is the bytes of key and its value, 0 if absent.
func (t *tx) sizeOf(key []byte) int {
	value, err := t.Get(key)
	if err != nil {
		return 0
	}
	return len(key) + len(value)
}

func (t *tx) writable(size int) error {
	switch {
	case t.done:
		return kv.ErrTxDone
	case t.readOnly:
		return kv.ErrReadOnly
	}
	t.bytes += size
	if t.bytes > kv.MaxTxSize {
		return kv.ErrTooLarge
	}
	return nil
}

// Cursor implements kv.Tx.
func (t *tx) Cursor(r kv.Range) kv.Cursor {
	return &cursor{tx: t, r: r, bolt: t.bucket.Cursor()}
}

// cursor merges two sorted sources: the pages of the file, which do not change under it, and the write set, which may
// and is therefore asked anew at each step.
type cursor struct {
	tx      *tx
	r       kv.Range
	bolt    *bolt.Cursor
	started bool
	err     error

	pageKey, pageValue []byte // next of the file in the direction of r; nil key: none
	key, value         []byte // where the cursor is; nil key: nowhere
}

// Next implements kv.Cursor.
func (c *cursor) Next() bool {
	switch {
	case !c.started && c.r.Reverse:
		return c.seek(c.r.End, ordered.Below)
	case !c.started:
		return c.seek(c.r.Start, ordered.AtLeast)
	case c.key == nil || c.ended():
		return false
	case c.pageKey != nil && bytes.Equal(c.pageKey, c.key):
		c.stepPage()
	}
	return c.settle(c.key, c.beyond())
}

// Seek implements kv.Cursor.
func (c *cursor) Seek(key []byte) bool {
	switch {
	case !c.r.Reverse && bytes.Compare(key, c.r.Start) < 0:
		return c.seek(c.r.Start, ordered.AtLeast)
	case !c.r.Reverse:
		return c.seek(key, ordered.AtLeast)
	case c.r.End != nil && bytes.Compare(key, c.r.End) >= 0:
		return c.seek(c.r.End, ordered.Below)
	}
	return c.seek(key, ordered.AtMost)
}

// beyond is the bound of the next key in the direction of the range.
func (c *cursor) beyond() ordered.Bound {
	if c.r.Reverse {
		return ordered.Below
	}
	return ordered.Above
}

// seek moves both sources to the key that bound asks for; a nil key with Below is the end of all keys.
func (c *cursor) seek(key []byte, bound ordered.Bound) bool {
	c.started = true
	if c.ended() {
		return false
	}
	switch {
	case key == nil && bound == ordered.Below:
		c.pageKey, c.pageValue = c.bolt.Last()
	default:
		c.pageKey, c.pageValue = c.bolt.Seek(key)
		past := !bytes.Equal(c.pageKey, key) || bound == ordered.Below
		switch {
		case !c.r.Reverse:
		case c.pageKey == nil:
			c.pageKey, c.pageValue = c.bolt.Last()
		case past:
			c.pageKey, c.pageValue = c.bolt.Prev()
		}
	}
	return c.settle(key, bound)
}

// settle chooses between the file's next key and the write set's, and skips what is deleted.
func (c *cursor) settle(from []byte, bound ordered.Bound) bool {
	c.key, c.value = nil, nil
	for {
		key, w, ok := c.written(from, bound)
		order := -1 // of the written key against the file's
		switch {
		case !ok && c.pageKey == nil:
			return false
		case !ok:
			order = 1
		case c.pageKey != nil:
			order = bytes.Compare(key, c.pageKey)
			if c.r.Reverse {
				order = -order
			}
		}
		if order > 0 {
			key, w = c.pageKey, write{c.pageValue}
		}
		if !c.r.Contains(key) {
			return false
		}
		if w.value != nil {
			c.key, c.value = key, w.value
			return true
		}
		if order == 0 {
			c.stepPage()
		}
		from, bound = key, c.beyond()
	}
}

// written returns the neighbour of a key in the write set.
func (c *cursor) written(from []byte, bound ordered.Bound) ([]byte, write, bool) {
	switch {
	case c.tx.writes.Len() == 0:
		return nil, write{}, false
	case from == nil && bound == ordered.Below:
		return c.tx.writes.Last()
	}
	return c.tx.writes.Seek(from, bound)
}

func (c *cursor) stepPage() {
	if c.r.Reverse {
		c.pageKey, c.pageValue = c.bolt.Prev()
	} else {
		c.pageKey, c.pageValue = c.bolt.Next()
	}
}

func (c *cursor) ended() bool {
	if c.tx.done {
		c.key, c.value, c.err = nil, nil, kv.ErrTxDone
	}
	return c.tx.done
}

// Key implements kv.Cursor.
func (c *cursor) Key() []byte { return c.key }

// Value implements kv.Cursor.
func (c *cursor) Value() []byte { return c.value }

// Err implements kv.Cursor.
func (c *cursor) Err() error { return c.err }

// Close implements kv.Cursor.
func (c *cursor) Close() {}
