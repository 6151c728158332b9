package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"storj/pieces"
)

// reader reads one piece. It holds the log's file, so that the piece stays readable after the log is unlinked.
type reader struct {
	dir   *dir
	store *Store
	log   *logFile
	file  File
	info  pieces.Info
	body  int64 // offset of the body in the log
	foot  footer
	once  sync.Once
}

// openAt opens the record of an entry and checks header and footer. Errors: errGone, ErrCorrupt, those of the disk.
func (d *dir) openAt(s *Store, k key, e entry) (*reader, error) {
	d.mu.Lock()
	l := d.logs[e.at.log]
	d.mu.Unlock()
	if l == nil {
		return nil, errGone
	}
	f, err := d.acquire(l)
	if err != nil {
		return nil, err
	}
	r := &reader{dir: d, store: s, log: l, file: f, info: e.info(k.piece), body: int64(e.at.offset) + headerSize}
	if r.foot, err = d.readEnds(f, l.num, k, e); err != nil {
		d.release(l)
		return nil, err
	}
	return r, nil
}

// readEnds reads header and footer of a record and compares them with its entry.
func (d *dir) readEnds(f File, log uint32, k key, e entry) (footer, error) {
	size := int64(e.size)
	footSize := recordSize(size, int(e.proof)) - headerSize - size
	buf := make([]byte, headerSize+footSize)
	if err := readFull(f, buf[:headerSize], int64(e.at.offset)); err != nil {
		return footer{}, err
	}
	if err := readFull(f, buf[headerSize:], int64(e.at.offset)+headerSize+size); err != nil {
		return footer{}, err
	}
	h, err := decodeHeader(buf, syncOf(d.id, log))
	if err != nil || !h.kind.isPiece() || h.satellite != k.satellite || h.piece != k.piece || h.size != e.size {
		return footer{}, fmt.Errorf("header: %w", pieces.ErrCorrupt)
	}
	foot, err := decodeFooter(buf[headerSize:], buf[:headerSize], size)
	if err != nil || len(foot.proof) != int(e.proof) {
		return footer{}, fmt.Errorf("footer: %w", pieces.ErrCorrupt)
	}
	return foot, nil
}

// readFull reads len(p) bytes. Errors: ErrCorrupt where the log is too short, ErrStoreClosed, ErrDisk.
func readFull(f File, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("log is too short: %w", pieces.ErrCorrupt)
	case errors.Is(err, os.ErrClosed):
		return pieces.ErrStoreClosed
	}
	return diskErr("read log", err)
}

// Info implements pieces.Reader.
func (r *reader) Info() pieces.Info { return r.info }

// Proof implements pieces.Reader.
func (r *reader) Proof() ([]byte, error) { return append([]byte(nil), r.foot.proof...), nil }

// Close implements pieces.Reader.
func (r *reader) Close() error {
	r.once.Do(func() { r.dir.release(r.log) })
	return nil
}

// ReadAt implements io.ReaderAt. Whole blocks go straight into p and are checked there; of the blocks that p covers in
// part the rest is read and checked in a buffer. Reads that begin at a multiple of 32 KiB are cheapest.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read piece at %d: %w", off, pieces.ErrRange)
	}
	if err := r.store.enter(); err != nil {
		return 0, err
	}
	defer r.store.exit()
	if fault := r.dir.faulted(); fault != nil {
		return 0, fault
	}
	var end error
	if left := max(0, r.info.Size-off); int64(len(p)) > left {
		p, end = p[:left], io.EOF
	}
	n, err := r.read(p, off)
	if err != nil {
		return n, fmt.Errorf("read piece %s at %d: %w", r.info.Piece, off+int64(n), err)
	}
	return n, end
}

// read fills p, which lies inside the piece.
func (r *reader) read(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		rest, pos := p[n:], off+int64(n)
		switch whole := r.wholeBlocks(int64(len(rest)), pos); {
		case pos%blockSize != 0 || whole == 0:
			var got int
			got, err = r.readPart(rest, pos)
			n += got
		default:
			if err = r.readWhole(rest[:whole], pos); err == nil {
				n += int(whole)
			}
		}
	}
	return n, err
}

// wholeBlocks is how many of n bytes at pos belong to blocks that are wanted to their end.
func (r *reader) wholeBlocks(n, pos int64) int64 {
	if pos+n == r.info.Size {
		return n
	}
	return n - (pos+n)%blockSize
}

// readWhole reads blocks into p, whose start and end are those of blocks.
func (r *reader) readWhole(p []byte, pos int64) error {
	if err := readFull(r.file, p, r.body+pos); err != nil {
		return err
	}
	for block := int(pos / blockSize); len(p) > 0; block++ {
		n := min(len(p), blockSize)
		if checksum(p[:n]) != r.foot.sum(block) {
			return fmt.Errorf("block %d: %w", block, pieces.ErrCorrupt)
		}
		p = p[n:]
	}
	return nil
}

// readPart copies from the block at pos what p wants of it.
func (r *reader) readPart(p []byte, pos int64) (int, error) {
	start := pos - pos%blockSize
	size := min(blockSize, r.info.Size-start)
	buf := r.dir.buffers.get(size)
	defer r.dir.buffers.put(buf)
	if err := r.readWhole((*buf)[:size], start); err != nil {
		return 0, err
	}
	return copy(p, (*buf)[pos-start:size]), nil
}
