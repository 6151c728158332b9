package ecenc

import (
	"errors"
	"fmt"

	"storj/ecenc/wire"
)

// KeySize is the size of every symmetric key in bytes.
const KeySize = 32

// Key is a symmetric key. It prints as REDACTED everywhere.
type Key [KeySize]byte

// String keeps keys out of logs and errors.
func (Key) String() string { return "REDACTED" }

// GoString keeps keys out of %#v.
func (Key) GoString() string { return "REDACTED" }

// MarshalText keeps keys out of JSON and logs.
func (Key) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// IsZero says whether the key was never set.
func (k Key) IsZero() bool { return k == Key{} }

const (
	// CipherBlockSize is the size of a block of ciphertext in bytes: plaintext and a tag of TagSize bytes.
	CipherBlockSize = 32 << 10
	// TagSize is the size of the authentication tag of a block in bytes.
	TagSize = 16
	// MaxShareSize is the share size of segments that fill at least one stripe of it: one cipher block is then one
	// share, and a small range is read from one node.
	MaxShareSize = CipherBlockSize
	// ShareAlign divides every share size, in bytes: the width that the code's assembly works in.
	ShareAlign = 64
	// MaxTotal is the largest number of pieces of a segment: the code is over GF(2^8).
	MaxTotal = 255
)

var _ [1]struct{} = [MaxShareSize%ShareAlign + 1]struct{}{}

// CodeVandermonde names the systematic Reed-Solomon code over GF(2^8) whose matrix is a Vandermonde matrix times the
// inverse of its top square, as made by the library in go.mod. It stands in every segment record, so that another
// code can be added later.
const CodeVandermonde = 1

// ErrRedundancy is returned for redundancy numbers that contradict each other.
var ErrRedundancy = errors.New("invalid redundancy")

// Redundancy says how a segment is spread over nodes.
type Redundancy struct {
	Code      uint8 // CodeVandermonde
	Required  int   // pieces that rebuild the segment; 1 <= Required
	Repair    int   // pieces left, at or below which the segment is queued for repair; Required <= Repair
	Optimal   int   // pieces that an upload wants before it commits; Repair <= Optimal
	Total     int   // pieces that an upload may attempt; Optimal <= Total <= MaxTotal
	ShareSize int   // bytes of one share; a multiple of ShareAlign, at most MaxShareSize; 0 while not yet chosen
}

// Validate checks the numbers against each other. ShareSize may be 0.
func (r Redundancy) Validate() error {
	ordered := 1 <= r.Required && r.Required <= r.Repair && r.Repair <= r.Optimal && r.Optimal <= r.Total && r.Total <= MaxTotal
	sized := r.ShareSize >= 0 && r.ShareSize <= MaxShareSize && r.ShareSize%ShareAlign == 0
	if !ordered || !sized || r.Code != CodeVandermonde {
		return fmt.Errorf("%w: %s", ErrRedundancy, r)
	}
	return nil
}

// String prints required/repair/optimal/total.
func (r Redundancy) String() string {
	return fmt.Sprintf("%d/%d/%d/%d", r.Required, r.Repair, r.Optimal, r.Total)
}

// WithShareSize chooses the share size for a segment of encryptedSize bytes: MaxShareSize when that fills a stripe,
// else the whole segment in one stripe.
func (r Redundancy) WithShareSize(encryptedSize int64) Redundancy {
	if encryptedSize >= int64(r.Required)*MaxShareSize {
		r.ShareSize = MaxShareSize
		return r
	}
	share := (int(encryptedSize) + r.Required - 1) / r.Required
	r.ShareSize = max(ShareAlign, (share+ShareAlign-1)/ShareAlign*ShareAlign)
	return r
}

// StripeSize is the bytes of segment in one stripe.
func (r Redundancy) StripeSize() int64 { return int64(r.Required) * int64(r.ShareSize) }

// PieceSize is the bytes of each piece of a segment of encryptedSize bytes: whole shares, the last stripe padded with
// zeros. ShareSize must be set.
func (r Redundancy) PieceSize(encryptedSize int64) int64 {
	stripe := r.StripeSize()
	return (encryptedSize + stripe - 1) / stripe * int64(r.ShareSize)
}

// Fields codes the redundancy for wire.
func (r *Redundancy) Fields(c *wire.Codec) {
	values := [6]uint64{
		uint64(r.Code), uint64(r.Required), uint64(r.Repair),
		uint64(r.Optimal), uint64(r.Total), uint64(r.ShareSize / ShareAlign),
	}
	for i := range values {
		c.Uint(i+1, &values[i])
	}
	if !c.Decoding() {
		return
	}
	for _, v := range values {
		if v > MaxShareSize {
			c.Fail()
			return
		}
	}
	*r = Redundancy{
		Code: uint8(values[0]), Required: int(values[1]), Repair: int(values[2]),
		Optimal: int(values[3]), Total: int(values[4]), ShareSize: int(values[5]) * ShareAlign,
	}
	if values[0] > 255 || r.Validate() != nil {
		c.Fail()
	}
}
