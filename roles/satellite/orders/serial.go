package orders

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"time"

	"storj/ecenc"
	"storj/netx"
	"storj/pieces"
)

// labelSerial separates the keys of serials from others that follow from the secret.
const labelSerial = "storj/serial/v1"

// The second half of a serial: serialRandom random bytes and serialMAC bytes of a MAC, see FORMAT in the package comment.
const (
	serialRandom = 2
	serialMAC    = 6
)

// serials makes the serials of the limits of one request.
type serials struct {
	block  cipher.Block
	expiry [8]byte
	random []byte // for all of them: one call to the system, not one each
}

func newSerials(secret ecenc.Key, limit *pieces.OrderLimit, count int) *serials {
	s := &serials{block: serialCipher(secret, limit), random: make([]byte, serialRandom*count)}
	binary.BigEndian.PutUint64(s.expiry[:], uint64(limit.Expires.Unix()))
	_, _ = rand.Read(s.random) // never fails: crypto/rand ends the process instead
	return s
}

// next makes one serial of the count.
func (s *serials) next(node netx.NodeID, piece pieces.PieceID) (serial pieces.SerialNumber) {
	copy(serial[:8], s.expiry[:])
	copy(serial[8:8+serialRandom], s.random)
	s.random = s.random[serialRandom:]
	mac := serialTag(s.block, serial[8:8+serialRandom], node, piece)
	copy(serial[8+serialRandom:], mac[:serialMAC])
	return serial
}

// Issued says whether this satellite made the limit: its MAC alone says that somebody did who has the key of the node,
// which the node has too.
func Issued(secret ecenc.Key, limit *pieces.OrderLimit) bool {
	half := limit.Serial[8:]
	mac := serialTag(serialCipher(secret, limit), half[:serialRandom], limit.Node, limit.Piece)
	return subtle.ConstantTimeCompare(mac[:serialMAC], half[serialRandom:]) == 1
}

// serialCipher is the cipher of all that the limits of one request have in common.
func serialCipher(secret ecenc.Key, limit *pieces.OrderLimit) cipher.Block {
	text := make([]byte, 0, 256)
	text = append(append(text, labelSerial...), byte(limit.Action))
	text = binary.BigEndian.AppendUint64(text, uint64(limit.Limit))
	text = binary.BigEndian.AppendUint64(text, nanos(limit.Created))
	text = binary.BigEndian.AppendUint64(text, nanos(limit.PieceExpires))
	text = append(append(text, limit.UplinkKey[:]...), limit.BucketTag...)
	mac := hmac.New(sha256.New, secret[:])
	_, _ = mac.Write(text) // never fails
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // the length is that of a key
	}
	return block
}

func nanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// serialTag is a CBC-MAC, which is safe for messages of one length (Bellare, Kilian, Rogaway 2000): node, piece, random
// bytes and zeros.
func serialTag(block cipher.Block, random []byte, node netx.NodeID, piece pieces.PieceID) (tag [aes.BlockSize]byte) {
	var text [len(node) + len(piece) + aes.BlockSize]byte
	_ = append(append(append(text[:0], node[:]...), piece[:]...), random...) // into text: it has room
	for rest := text[:]; len(rest) > 0; rest = rest[aes.BlockSize:] {
		subtle.XORBytes(tag[:], tag[:], rest[:aes.BlockSize])
		block.Encrypt(tag[:], tag[:])
	}
	return tag
}
