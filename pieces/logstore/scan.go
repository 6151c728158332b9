package logstore

import (
	"bytes"
	"errors"
	"io"
)

// scanner walks the records of a log without an index.
type scanner struct {
	file   File
	mark   syncMark
	pos    int64 // end of the last sound record
	end    int64
	verify bool // read bodies too

	// damaged are the records with a sound header that were passed over since the last call of next; at io.EOF those at
	// the end of the log, which may just be unfinished.
	damaged []record
	// gap is how many bytes were passed over since the last call of next.
	gap int64

	scratch []byte // for bodies
}

// record is a record in a log.
type record struct {
	offset int64
	length int64
	hdr    header
	proof  int // bytes
}

// next returns the next sound record; damage before it is passed over. Errors: io.EOF when there is none; those of the
// disk.
func (s *scanner) next() (record, error) {
	s.damaged, s.gap = s.damaged[:0], 0
	for try := s.pos; try < s.end; {
		r, err := s.parse(try)
		if err == nil {
			s.gap = try - s.pos
			s.pos = try + r.length
			return r, nil
		}
		if !errors.Is(err, errRecord) && !errors.Is(err, errTorn) {
			return record{}, err
		}
		if r.hdr.kind != 0 && try+headerSize+int64(r.hdr.size) < s.end {
			s.damaged = append(s.damaged, r)
		}
		if try, err = s.resync(try + 1); err != nil {
			return record{}, err
		}
	}
	s.gap = s.end - s.pos
	return record{}, io.EOF
}

// parse reads the record at an offset. With errRecord or errTorn the header is returned if it is sound, else kind 0.
func (s *scanner) parse(at int64) (r record, err error) {
	if s.end-at < minRecord {
		return r, errTorn
	}
	head := make([]byte, headerSize)
	if err := readFull(s.file, head, at); err != nil {
		return r, err
	}
	h, err := decodeHeader(head, s.mark)
	if err != nil {
		return r, err
	}
	r = record{offset: at, hdr: h}
	foot := at + headerSize + int64(h.size)
	size := min(recordSize(int64(h.size), maxProof)-headerSize-int64(h.size), s.end-foot)
	if size < footerFixed {
		return r, errTorn
	}
	buf := make([]byte, size)
	if err := readFull(s.file, buf, foot); err != nil {
		return r, err
	}
	f, err := decodeFooter(buf, head, int64(h.size))
	if err != nil {
		return r, err
	}
	r.proof = len(f.proof)
	r.length = recordSize(int64(h.size), r.proof)
	if s.verify || !h.kind.isPiece() {
		err = s.verifyBody(r, f)
	}
	return r, err
}

// body reads the body of a record whole; for mutations, which are small.
func (s *scanner) body(r record) ([]byte, error) {
	p := make([]byte, r.hdr.size)
	return p, readFull(s.file, p, r.offset+headerSize)
}

func (s *scanner) verifyBody(r record, f footer) error {
	want := int(min(int64(r.hdr.size), 8*blockSize))
	if len(s.scratch) < want {
		s.scratch = make([]byte, want)
	}
	buf := s.scratch[:want]
	block := 0
	for pos := int64(0); pos < int64(r.hdr.size); {
		p := buf[:min(int64(len(buf)), int64(r.hdr.size)-pos)]
		if err := readFull(s.file, p, r.offset+headerSize+pos); err != nil {
			return err
		}
		pos += int64(len(p))
		for len(p) > 0 {
			n := min(len(p), blockSize)
			if checksum(p[:n]) != f.sum(block) {
				return errRecord
			}
			p = p[n:]
			block++
		}
	}
	return nil
}

// resync finds the next sound header at or after an offset; the end of the log if there is none.
func (s *scanner) resync(from int64) (int64, error) {
	buf := make([]byte, 256<<10)
	for from < s.end {
		p := buf[:min(int64(len(buf)), s.end-from)]
		if err := readFull(s.file, p, from); err != nil {
			return 0, err
		}
		for pos := 0; ; {
			hit := bytes.Index(p[pos:], s.mark[:])
			if hit < 0 {
				break
			}
			pos += hit
			if ok, err := s.soundHeader(from + int64(pos)); ok || err != nil {
				return from + int64(pos), err
			}
			pos++
		}
		if int64(len(p)) == s.end-from {
			break
		}
		from += int64(len(p)) - (syncSize - 1) // a mark may straddle the border
	}
	return s.end, nil
}

func (s *scanner) soundHeader(at int64) (bool, error) {
	if s.end-at < headerSize {
		return false, nil
	}
	head := make([]byte, headerSize)
	if err := readFull(s.file, head, at); err != nil {
		return false, err
	}
	_, err := decodeHeader(head, s.mark)
	return err == nil, nil
}
