package boltkv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"

	bolt "go.etcd.io/bbolt"

	"storj/metainfo/kv"
)

// preflight walks the pages that the file's newest meta page reaches, before bbolt does: to find the free ones it walks
// them too, on a goroutine of its own, where nobody can catch the panic that damage ends in. Only what can break that
// walk is looked at: numbers, kinds, bounds and the order of keys, not what values say. A file that does not exist is fine.
//
// Errors: kv.ErrCorrupt, that of bolt.Open (the file is locked, or no bbolt file).
func preflight(path string) error {
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	lock, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // best effort: it was read only
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // best effort: it was read only
	w := &walker{file: file}
	if err := w.readMeta(); err != nil {
		return err
	}
	return w.walk(w.root, nil, nil)
}

// Source of what follows: bbolt 1.5, internal/common/{page,meta,bucket,inode}.go; integers are in the machine's order.
const (
	pageHeaderSize  = 16
	pageElementSize = 16
	inBucketSize    = 16
	branchFlag      = 0x01
	leafFlag        = 0x02
	bucketElement   = 0x01
	metaMagic       = 0xED0CDAED
	metaSize        = 64
	metaSumAt       = 56
	maxDepth        = 64 // of pages on the way to a leaf: a tree of 2^48 pages is less deep
)

type walker struct {
	file     *os.File
	pageSize int64
	pages    uint64 // the file's high-water mark
	root     uint64
	seen     []uint64 // a bit for each page
	depth    int
}

func damaged(page uint64, what string) error {
	return fmt.Errorf("%w: page %d: %s", kv.ErrCorrupt, page, what)
}

// readMeta takes the newest of the two meta pages that is whole. That there is one was seen by bolt.Open.
func (w *walker) readMeta() error {
	var newest uint64
	found := false
	for i := range int64(2) {
		at := int64(0)
		if i == 1 {
			at = w.pageSize
			if at == 0 {
				at = int64(os.Getpagesize())
			}
		}
		b := make([]byte, pageHeaderSize+metaSize)
		if _, err := w.file.ReadAt(b, at); err != nil {
			continue // the other one is looked at
		}
		m := b[pageHeaderSize:]
		sum := fnv.New64a()
		_, _ = sum.Write(m[:metaSumAt]) // never fails
		e := binary.NativeEndian
		if e.Uint32(m) != metaMagic || e.Uint64(m[metaSumAt:]) != sum.Sum64() {
			continue
		}
		w.pageSize = int64(e.Uint32(m[8:]))
		if txid := e.Uint64(m[48:]); !found || txid > newest {
			found, newest, w.root, w.pages = true, txid, e.Uint64(m[16:]), e.Uint64(m[40:])
		}
	}
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	if !found || w.pageSize < 512 || w.pages > uint64(info.Size()/w.pageSize) {
		return fmt.Errorf("%w: meta pages do not fit the file of %d bytes", kv.ErrCorrupt, info.Size())
	}
	w.seen = make([]uint64, w.pages/64+1)
	return nil
}

// walk looks at a page and at all below it: keys ascend, from lowest (nil: no bound) to below the end (nil: no bound).
func (w *walker) walk(page uint64, lowest, end []byte) error {
	body, flags, count, err := w.claim(page)
	if err != nil {
		return err
	}
	if w.depth++; w.depth > maxDepth {
		return damaged(page, "too deep")
	}
	defer func() { w.depth-- }()
	elements := make([]element, count)
	before := lowest
	for i := range elements {
		e, ok := readElement(body, i, flags)
		if !ok {
			return damaged(page, "key or value out of bounds")
		}
		order := bytes.Compare(before, e.key)
		if order > 0 || order == 0 && i > 0 || end != nil && bytes.Compare(e.key, end) >= 0 {
			return damaged(page, "keys out of order")
		}
		elements[i], before = e, e.key
	}
	if flags == branchFlag {
		return w.branch(page, elements, end)
	}
	return w.leaf(page, elements)
}

// claim reads a branch or a leaf that nothing else refers to, with the pages that it goes on in.
func (w *walker) claim(page uint64) (body []byte, flags uint16, count int, err error) {
	if page < 2 || page >= w.pages {
		return nil, 0, 0, damaged(page, "number out of range")
	}
	body = make([]byte, w.pageSize)
	if _, err := w.file.ReadAt(body, int64(page)*w.pageSize); err != nil {
		return nil, 0, 0, damaged(page, err.Error())
	}
	e := binary.NativeEndian
	flags, count = e.Uint16(body[8:]), int(e.Uint16(body[10:]))
	overflow := uint64(e.Uint32(body[12:]))
	switch {
	case e.Uint64(body) != page || overflow >= w.pages-page:
		return nil, 0, 0, damaged(page, "another page lies there")
	case flags != branchFlag && flags != leafFlag:
		return nil, 0, 0, damaged(page, "neither branch nor leaf")
	case flags == branchFlag && count == 0:
		return nil, 0, 0, damaged(page, "branch without elements")
	}
	for p := page; p <= page+overflow; p++ {
		if w.seen[p/64]&(1<<(p%64)) != 0 {
			return nil, 0, 0, damaged(p, "referred to twice")
		}
		w.seen[p/64] |= 1 << (p % 64)
	}
	if overflow > 0 { // its pages are in the file, which is as large as its high-water mark says
		body = make([]byte, int64(overflow+1)*w.pageSize)
		if _, err := w.file.ReadAt(body, int64(page)*w.pageSize); err != nil {
			return nil, 0, 0, damaged(page, err.Error())
		}
	}
	return body, flags, count, nil
}

// element is an entry of a page.
type element struct {
	key, value []byte
	child      uint64 // of a branch
	bucket     bool   // of a leaf: the value is a bucket
}

func readElement(body []byte, index int, flags uint16) (el element, ok bool) {
	at := int64(pageHeaderSize + index*pageElementSize)
	if at+pageElementSize > int64(len(body)) {
		return el, false
	}
	e, b := binary.NativeEndian, body[at:]
	position, keySize, valueSize := int64(e.Uint32(b)), int64(e.Uint32(b[4:])), int64(0)
	if flags == leafFlag {
		position, keySize, valueSize = int64(e.Uint32(b[4:])), int64(e.Uint32(b[8:])), int64(e.Uint32(b[12:]))
		el.bucket = e.Uint32(b)&bucketElement != 0
	} else {
		el.child = e.Uint64(b[8:])
	}
	if position+keySize+valueSize > int64(len(b)) {
		return el, false
	}
	el.key, el.value = b[position:][:keySize], b[position+keySize:][:valueSize]
	return el, true
}

func (w *walker) branch(page uint64, elements []element, end []byte) error {
	for i, e := range elements {
		below := end
		if i+1 < len(elements) {
			below = elements[i+1].key
		}
		if err := w.walk(e.child, e.key, below); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) leaf(page uint64, elements []element) error {
	for _, e := range elements {
		if !e.bucket {
			continue
		}
		if len(e.value) < inBucketSize {
			return damaged(page, "bucket cut short")
		}
		if root := binary.NativeEndian.Uint64(e.value); root != 0 { // 0: it stands in this page
			if err := w.walk(root, nil, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
