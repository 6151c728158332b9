package kv

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// loadTx bounds the keys and values, in bytes, and loadRows the rows, that Load writes in one transaction.
	loadTx   = 4 << 20
	loadRows = 20_000
	// snapshotBuffer is what is collected before it is written, in bytes.
	snapshotBuffer = 256 << 10
)

// ErrNotEmpty is returned by Load for a store that holds keys.
var ErrNotEmpty = errors.New("store is not empty")

// Dump writes every key and value, as they are at one instant, in the FORMAT of the package comment, and returns how
// many rows there were. The store may be written to meanwhile; what it frees is not used again before Dump ends, so a
// slow w makes it grow.
//
// Errors: that of w, ErrCorrupt, that of ctx.
func Dump(ctx context.Context, s Store, w io.Writer) (rows int64, err error) {
	err = s.View(ctx, func(tx Tx) error {
		rows = 0
		out := bufio.NewWriterSize(w, snapshotBuffer)
		var head []byte
		err := Scan(tx, Range{}, func(key, value []byte) (bool, error) {
			rows++
			head = append(binary.AppendUvarint(head[:0], uint64(len(key))), key...)
			head = binary.AppendUvarint(head, uint64(len(value)))
			if _, err := out.Write(head); err != nil {
				return false, err
			}
			_, err := out.Write(value)
			return err == nil && ctx.Err() == nil, err
		})
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		_, err = out.Write(binary.AppendUvarint([]byte{0}, uint64(rows)))
		return errors.Join(err, out.Flush())
	})
	if err != nil {
		return rows, fmt.Errorf("dump store: %w", err)
	}
	return rows, nil
}

// Load fills an empty store with what Dump wrote, and returns how many rows there were. It reads to the end of the dump
// and not beyond, if r is an io.ByteReader. After an error the store holds a part: it is to be thrown away.
//
// Errors: ErrNotEmpty, ErrCorrupt where the bytes are not a whole dump, that of r, those of Update.
func Load(ctx context.Context, s Store, r io.Reader) (rows int64, err error) {
	l := loader{in: asByteReader(r)}
	if err := s.View(ctx, checkEmpty); err != nil {
		return 0, fmt.Errorf("load store: %w", err)
	}
	for more := true; more; {
		batch, last, err := l.batch()
		if err == nil {
			err = s.Update(ctx, func(tx Tx) error { return putAll(tx, batch) })
		}
		if err != nil {
			return l.rows, fmt.Errorf("load store: %w", err)
		}
		more = !last
	}
	return l.rows, nil
}

func checkEmpty(tx Tx) error {
	c := tx.Cursor(Range{})
	defer c.Close()
	if c.Next() {
		return ErrNotEmpty
	}
	return c.Err()
}

type byteReader interface {
	io.Reader
	io.ByteReader
}

func asByteReader(r io.Reader) byteReader {
	if b, ok := r.(byteReader); ok {
		return b
	}
	return bufio.NewReaderSize(r, snapshotBuffer)
}

type pair struct{ key, value []byte }

func putAll(tx Tx, batch []pair) error {
	for _, p := range batch {
		if err := tx.Put(p.key, p.value); err != nil {
			return err
		}
	}
	return nil
}

// loader reads the rows of a dump.
type loader struct {
	in   byteReader
	rows int64
	last []byte // key before
}

// batch reads rows for one transaction and says whether the end was among them.
func (l *loader) batch() (batch []pair, end bool, err error) {
	for size := 0; size < loadTx && len(batch) < loadRows; {
		p, end, err := l.row()
		if end || err != nil {
			return batch, end, err
		}
		size += len(p.key) + len(p.value)
		batch = append(batch, p)
	}
	return batch, false, nil
}

func (l *loader) row() (p pair, end bool, err error) {
	if p.key, err = l.bytes(MaxKeySize); err != nil {
		return p, false, err
	}
	if len(p.key) == 0 {
		count, err := binary.ReadUvarint(l.in)
		if err != nil || count != uint64(l.rows) {
			return p, false, fmt.Errorf("%w: dump ends after %d rows: %w", ErrCorrupt, l.rows, torn(err))
		}
		return p, true, nil
	}
	if bytes.Compare(p.key, l.last) <= 0 {
		return p, false, fmt.Errorf("%w: keys of dump are not in order", ErrCorrupt)
	}
	if p.value, err = l.bytes(MaxValueSize); err != nil {
		return p, false, err
	}
	l.last = p.key
	l.rows++
	return p, false, nil
}

// bytes reads a length and as many bytes.
func (l *loader) bytes(limit int) ([]byte, error) {
	n, err := binary.ReadUvarint(l.in)
	if err != nil {
		return nil, fmt.Errorf("%w: dump: %w", ErrCorrupt, torn(err))
	}
	if n > uint64(limit) {
		return nil, fmt.Errorf("%w: dump has a row over its limit", ErrCorrupt)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(l.in, b); err != nil {
		return nil, fmt.Errorf("%w: dump: %w", ErrCorrupt, torn(err))
	}
	return b, nil
}

// torn names an end in the middle.
func torn(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
