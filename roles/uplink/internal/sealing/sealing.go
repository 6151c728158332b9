// Package sealing fills a segment: plaintext goes in as it comes, ciphertext stands in one buffer.
//
//	s, err := sealing.New(contentKey, part, index, maxPlain)
//	old := s.Grow(buf)         // whenever Need says more than the buffer has
//	s.Write(chunk)             // seals every block that is full and not the last
//	data := s.Close()          // seals the last one
//
// The buffer holds sealed blocks and behind them the plaintext, less than two blocks, that is not yet sealed; a block
// that was gathered is sealed where it lies.
//
// # Concurrency
//
// A Segment is for one goroutine.
//
// # Why
//
// Sealing as it is written costs no second pass over 64 MiB when the segment is full, and plaintext does not pile up
// in memory.
package sealing

import (
	"crypto/rand"
	"fmt"

	"storj/ecenc"
	"storj/ecenc/cipher"
)

// Segment is one segment being filled.
type Segment struct {
	cipher   *cipher.Cipher
	salt     [cipher.SaltSize]byte
	buf      []byte // sealed blocks, then plaintext; its capacity is the caller's to see to
	sealed   int    // bytes of buf that are sealed
	blocks   uint64
	plain    int64
	maxPlain int64
}

// New starts the segment at (part, index) of an object under a fresh salt. It has no buffer yet.
func New(content ecenc.Key, part, index uint32, maxPlain int64) (*Segment, error) {
	s := &Segment{maxPlain: maxPlain}
	rand.Read(s.salt[:]) // never fails: it ends the program instead
	c, err := cipher.New(cipher.SegmentKey(content, s.salt, part, index))
	if err != nil {
		return nil, err
	}
	s.cipher = c
	return s, nil
}

// Salt is what the segment's key was derived with.
func (s *Segment) Salt() [cipher.SaltSize]byte { return s.salt }

// PlainSize is the plaintext bytes written so far.
func (s *Segment) PlainSize() int64 { return s.plain }

// EncryptedSize is the ciphertext bytes if the segment ended here.
func (s *Segment) EncryptedSize() int64 { return cipher.EncryptedSize(s.plain) }

// Room is the plaintext bytes that the segment still takes.
func (s *Segment) Room() int64 { return s.maxPlain - s.plain }

// Need is the size in bytes that the buffer must have for n more bytes of plaintext.
func (s *Segment) Need(n int) int { return int(cipher.EncryptedSize(s.plain + int64(n))) }

// Cap is the size in bytes of the buffer at hand.
func (s *Segment) Cap() int { return cap(s.buf) }

// Grow moves the segment into a larger buffer and returns the one it was in.
//
// Ownership: buf belongs to the segment until the next Grow; its content is overwritten.
func (s *Segment) Grow(buf []byte) []byte {
	old := s.buf
	s.buf = append(buf[:0], old...)
	return old
}

// Write takes plaintext.
//
// Shape: at most Room bytes, and Need(len(p)) must fit the buffer; else it panics, for the caller is at fault.
// Ownership: p is read only and not kept.
func (s *Segment) Write(p []byte) {
	if int64(len(p)) > s.Room() || s.Need(len(p)) > cap(s.buf) {
		panic(fmt.Sprintf("%d bytes into a segment of %d with room for %d", len(p), cap(s.buf), s.Room()))
	}
	s.plain += int64(len(p))
	for len(p) > 0 {
		held := len(s.buf) - s.sealed
		if held == cipher.PlainBlockSize {
			s.seal(s.buf[s.sealed:])
			continue
		}
		if held == 0 && len(p) > cipher.PlainBlockSize {
			s.seal(p[:cipher.PlainBlockSize])
			p = p[cipher.PlainBlockSize:]
			continue
		}
		n := min(len(p), cipher.PlainBlockSize-held)
		s.buf = append(s.buf, p[:n]...)
		p = p[n:]
	}
}

// seal seals one full block that is not the last, from the caller's memory or where it lies.
func (s *Segment) seal(block []byte) {
	s.buf = s.cipher.SealBlock(s.buf[:s.sealed], block, s.blocks, false)
	s.sealed = len(s.buf)
	s.blocks++
}

// Close seals the last block and returns the ciphertext: EncryptedSize bytes in the segment's buffer, which must have
// Need(0) bytes at least. Nothing may be written afterwards.
func (s *Segment) Close() []byte {
	if s.Need(0) > cap(s.buf) {
		panic(fmt.Sprintf("segment of %d bytes closed in a buffer of %d", s.Need(0), cap(s.buf)))
	}
	s.buf = s.cipher.SealBlock(s.buf[:s.sealed], s.buf[s.sealed:], s.blocks, true)
	s.sealed, s.maxPlain = len(s.buf), s.plain
	return s.buf
}
