package syncer

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

const (
	// sorterMemory is how much of a listing is sorted in memory, bytes: some 200,000 objects.
	sorterMemory = 48 << 20
	// entryMemory is what an entry takes beside its texts, bytes.
	entryMemory = 96
	// maxText bounds a key or checksum that is read back, bytes.
	maxText = 64 << 10
	// runBuffer is for reading one file of a sorted run.
	runBuffer = 64 << 10
)

// sorter sorts more entries than memory holds: full runs go to files, each in order, and are merged at the end.
type sorter struct {
	dir    string // for the files; empty: that of the system
	memory int    // bytes of entries to hold
	held   []Entry
	size   int // of held, bytes
	files  []*os.File
}

// add takes an entry. Errors: those of the disk.
func (s *sorter) add(e Entry) error {
	s.held = append(s.held, e)
	s.size += entryMemory + len(e.Key) + len(e.Hash)
	if s.size < s.memory {
		return nil
	}
	return s.spill()
}

func (s *sorter) sort() {
	slices.SortFunc(s.held, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
}

// spill writes what is held to a file of its own.
func (s *sorter) spill() error {
	s.sort()
	f, err := os.CreateTemp(s.dir, ".storj-listing-*.tmp") // made with mode 0600: it has names in it
	if err != nil {
		return fmt.Errorf("sort listing: %w", err)
	}
	s.files = append(s.files, f)
	_ = os.Remove(f.Name()) // best effort: where an open file cannot be removed, close does
	w := bufio.NewWriterSize(f, runBuffer)
	var record []byte
	for i := range s.held {
		record = appendRecord(record[:0], &s.held[i])
		_, _ = w.Write(record) // an error comes again at Flush
	}
	clear(s.held)
	s.held, s.size = s.held[:0], 0
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort listing: %w", err)
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// close frees the files.
func (s *sorter) close() {
	for _, f := range s.files {
		_ = f.Close()           // best effort: it is thrown away
		_ = os.Remove(f.Name()) // best effort: mostly it is gone already
	}
	s.files = nil
}

// sorted yields all entries in order, once, and then frees the files.
func (s *sorter) sorted() Listing {
	return func(yield func(Entry, error) bool) {
		defer s.close()
		s.sort()
		runs := []*run{{held: s.held}}
		for _, f := range s.files {
			runs = append(runs, &run{r: bufio.NewReaderSize(f, runBuffer)})
		}
		for {
			least, err := leastOf(runs)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if least == nil || !yield(least.take(), nil) {
				return
			}
		}
	}
}

// run is one sorted part: in memory, or a file.
type run struct {
	held   []Entry
	r      *bufio.Reader
	first  Entry
	filled bool // first is the next entry
	ended  bool
}

// leastOf returns the run whose next entry comes first, or nil at the end of all.
func leastOf(runs []*run) (least *run, err error) {
	for _, r := range runs {
		if err := r.fill(); err != nil {
			return nil, err
		}
		if !r.ended && (least == nil || r.first.Key < least.first.Key) {
			least = r
		}
	}
	return least, nil
}

func (r *run) take() Entry {
	r.filled = false
	return r.first
}

func (r *run) fill() (err error) {
	switch {
	case r.filled || r.ended:
		return nil
	case r.r != nil:
		r.first, err = readRecord(r.r)
		if errors.Is(err, io.EOF) {
			r.ended, err = true, nil
		}
	case len(r.held) == 0:
		r.ended = true
	default:
		r.first, r.held = r.held[0], r.held[1:]
	}
	r.filled = !r.ended
	if err != nil {
		return fmt.Errorf("read sorted listing: %w", err)
	}
	return nil
}

// appendRecord encodes an entry; FORMAT in the package comment.
func appendRecord(out []byte, e *Entry) []byte {
	out = binary.AppendUvarint(out, uint64(len(e.Key)))
	out = append(out, e.Key...)
	out = binary.AppendVarint(out, e.Size)
	out = binary.AppendVarint(out, e.Modified)
	out = binary.AppendVarint(out, e.Created)
	out = binary.AppendUvarint(out, uint64(len(e.Hash)))
	return append(out, e.Hash...)
}

// errRecord is returned for a record that appendRecord did not write.
var errRecord = errors.New("damaged record")

// readRecord returns io.EOF at the end and only there.
func readRecord(r *bufio.Reader) (e Entry, err error) {
	if _, err := r.Peek(1); err != nil {
		return e, err
	}
	read := func(into *int64) {
		if err == nil {
			*into, err = binary.ReadVarint(r)
		}
	}
	e.Key, err = readText(r)
	read(&e.Size)
	read(&e.Modified)
	read(&e.Created)
	if err == nil {
		e.Hash, err = readText(r)
	}
	if err != nil {
		return Entry{}, errRecord
	}
	return e, nil
}

func readText(r *bufio.Reader) (string, error) {
	size, err := binary.ReadUvarint(r)
	if err != nil || size > maxText {
		return "", errRecord
	}
	text := make([]byte, size)
	_, err = io.ReadFull(r, text)
	return string(text), err
}
