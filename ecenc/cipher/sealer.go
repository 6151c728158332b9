package cipher

// Sealer seals a segment that arrives in chunks. It holds back up to one block of plaintext, since the last block is
// sealed otherwise than the rest. For one goroutine.
type Sealer struct {
	cipher *Cipher
	index  uint64
	held   []byte // plaintext not yet sealed, at most PlainBlockSize
	plain  int64
	closed bool
}

// NewSealer starts a segment.
func NewSealer(c *Cipher) *Sealer {
	return &Sealer{cipher: c, held: make([]byte, 0, PlainBlockSize)}
}

// Write takes a chunk of plaintext of any size and appends to dst the blocks that it completes, as far as they are
// known not to be the last.
//
// Ownership: chunk is read only and not kept; dst must not overlap it. Calling it after Close panics.
func (s *Sealer) Write(dst, chunk []byte) []byte {
	if s.closed {
		panic("sealer written to after its last block")
	}
	s.plain += int64(len(chunk))
	for len(chunk) > 0 {
		if len(s.held) == PlainBlockSize {
			dst = s.seal(dst, s.held)
			s.held = s.held[:0]
		}
		if len(s.held) == 0 && len(chunk) > PlainBlockSize {
			dst = s.seal(dst, chunk[:PlainBlockSize])
			chunk = chunk[PlainBlockSize:]
			continue
		}
		n := min(len(chunk), PlainBlockSize-len(s.held))
		s.held = append(s.held, chunk[:n]...)
		chunk = chunk[n:]
	}
	return dst
}

// Close appends the last block to dst and wipes the plaintext held.
func (s *Sealer) Close(dst []byte) []byte {
	if s.closed {
		panic("sealer closed twice")
	}
	s.closed = true
	dst = s.cipher.SealBlock(dst, s.held, s.index, true)
	clear(s.held)
	return dst
}

// PlainSize is the plaintext bytes written so far.
func (s *Sealer) PlainSize() int64 { return s.plain }

func (s *Sealer) seal(dst, block []byte) []byte {
	dst = s.cipher.SealBlock(dst, block, s.index, false)
	s.index++
	return dst
}
