package pieces

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/netx"
)

// Action is what an order limit allows.
type Action uint8

// The actions; the list is append-only.
const (
	ActionPut       Action = 1
	ActionGet       Action = 2
	ActionGetAudit  Action = 3
	ActionGetRepair Action = 4
	ActionPutRepair Action = 5
)

// IsPut says whether the action stores a piece.
func (a Action) IsPut() bool { return a == ActionPut || a == ActionPutRepair }

// IsGet says whether the action reads a piece.
func (a Action) IsGet() bool { return a == ActionGet || a == ActionGetAudit || a == ActionGetRepair }

const (
	// MaxClockSkew is how far from its own clock a node lets a limit be made: an hour, as in the existing system.
	MaxClockSkew = time.Hour
	// MaxBucketTag is the largest encrypted bucket reference of a limit in bytes.
	MaxBucketTag = 128
	// MaxLimitSize is the largest encoded SignedLimit in bytes.
	MaxLimitSize = 512
)

// NodeKey is the secret that one node shares with its satellite during one epoch.
type NodeKey struct {
	Epoch uint32
	Key   ecenc.Key
}

// DeriveNodeKey returns the key of node in an epoch: HKDF-SHA256(satellite secret, info = label | NodeID | epoch).
func DeriveNodeKey(secret ecenc.Key, node netx.NodeID, epoch uint32) NodeKey {
	info := fmt.Sprintf("storj/node-key/v1 %x %d", node[:], epoch)
	raw, err := hkdf.Key(sha256.New, secret[:], nil, info, ecenc.KeySize)
	if err != nil {
		panic(err) // the length asked for is constant and small
	}
	return NodeKey{Epoch: epoch, Key: ecenc.Key(raw)}
}

func (k NodeKey) mac(purpose string, body []byte) (sum [sha256.Size]byte) {
	return hmacSHA256(k.Key, purpose, body)
}

// hmacSHA256 is HMAC-SHA256 (RFC 2104) of purpose | body for keys of 32 bytes, without the allocations of crypto/hmac,
// against which a test checks it: it halves the time to make 110 limits (630 against 320 us, both on a busy machine, 2026-11).
func hmacSHA256(key [32]byte, purpose string, body []byte) [sha256.Size]byte {
	var space [sha256.BlockSize + 576]byte
	for i := range sha256.BlockSize {
		space[i] = 0x36
	}
	for i := range key {
		space[i] ^= key[i]
	}
	inner := sha256.Sum256(append(append(space[:sha256.BlockSize], purpose...), body...))
	var outer [sha256.BlockSize + sha256.Size]byte
	for i := range sha256.BlockSize {
		outer[i] = 0x5c
	}
	for i := range key {
		outer[i] ^= key[i]
	}
	copy(outer[sha256.BlockSize:], inner[:])
	return sha256.Sum256(outer[:])
}

const (
	purposeLimit = "storj/limit/v1\x00"
	purposeAck   = "storj/ack/v1\x00"
	purposeHash  = "storj/piece-hash/v1\x00"
	purposeOrder = "storj/order/v1\x00"
)

// OrderLimit is a satellite's leave for the holder of UplinkKey to move up to Limit bytes of one piece to or from one
// node.
type OrderLimit struct {
	Satellite    netx.NodeID
	Node         netx.NodeID
	Piece        PieceID
	Action       Action
	Limit        int64 // bytes
	PieceExpires time.Time
	Created      time.Time
	Expires      time.Time // of the limit; whole seconds, the same as in Serial
	Serial       SerialNumber
	UplinkKey    [ed25519.PublicKeySize]byte
	BucketTag    []byte // encrypted for the satellite: which bucket to account to; at most MaxBucketTag
	Epoch        uint32 // of the NodeKey it is authenticated with
}

// Fields codes the limit for wire.
func (l *OrderLimit) Fields(c *wire.Codec) {
	action := uint32(l.Action)
	c.Fixed(1, l.Satellite[:])
	c.Fixed(2, l.Node[:])
	c.Fixed(3, l.Piece[:])
	c.Uint32(4, &action)
	c.Int(5, &l.Limit)
	c.Time(6, &l.PieceExpires)
	c.Time(7, &l.Created)
	c.Time(8, &l.Expires)
	c.Fixed(9, l.Serial[:])
	c.Fixed(10, l.UplinkKey[:])
	c.Bytes(11, &l.BucketTag, MaxBucketTag)
	c.Uint32(12, &l.Epoch)
	if action > 255 || l.Limit < 0 {
		c.Fail()
	}
	l.Action = Action(action)
}

// SignedLimit is an encoded OrderLimit with the satellite's authentication. The bytes that were authenticated are
// kept, so that what is checked is what was made.
type SignedLimit struct {
	Raw []byte // encoded OrderLimit
	MAC [sha256.Size]byte
}

// Fields codes the signed limit for wire.
func (s *SignedLimit) Fields(c *wire.Codec) {
	c.Bytes(1, &s.Raw, MaxLimitSize)
	c.Fixed(2, s.MAC[:])
}

// Sign authenticates the limit with key, whose epoch is written into it.
func (l *OrderLimit) Sign(key NodeKey) SignedLimit {
	l.Epoch = key.Epoch
	raw := wire.Append(make([]byte, 0, 320), l)
	return SignedLimit{Raw: raw, MAC: key.mac(purposeLimit, raw)}
}

// Decode reads the limit without checking who made it. Its byte fields alias Raw.
func (s *SignedLimit) Decode() (OrderLimit, error) {
	var l OrderLimit
	if err := wire.Unmarshal(s.Raw, &l); err != nil {
		return OrderLimit{}, ErrMalformed
	}
	return l, nil
}

// Verify says whether the holder of key made the limit.
func (s *SignedLimit) Verify(key NodeKey) bool {
	sum := key.mac(purposeLimit, s.Raw)
	return hmac.Equal(sum[:], s.MAC[:])
}

// Order is an uplink's receipt: of the limit with this serial, up to Amount bytes have been or are being moved.
type Order struct {
	Serial    SerialNumber
	Amount    int64 // bytes
	Signature [ed25519.SignatureSize]byte
}

// Fields codes the order for wire.
func (o *Order) Fields(c *wire.Codec) {
	c.Fixed(1, o.Serial[:])
	c.Int(2, &o.Amount)
	c.Fixed(3, o.Signature[:])
}

func (o *Order) signed() []byte {
	unsigned := Order{Serial: o.Serial, Amount: o.Amount}
	return wire.Append([]byte(purposeOrder), &unsigned)
}

// Sign signs the order with the private key of the limit's uplink.
func (o *Order) Sign(key ed25519.PrivateKey) {
	copy(o.Signature[:], ed25519.Sign(key, o.signed()))
}

// Verify says whether the limit's uplink signed the order.
func (o *Order) Verify(uplink [ed25519.PublicKeySize]byte) bool {
	return ed25519.Verify(uplink[:], o.signed(), o.Signature[:])
}

// PieceHash is the uplink's statement of what it uploaded.
type PieceHash struct {
	Piece     PieceID
	Size      int64 // bytes
	Hash      [32]byte
	Created   time.Time
	Signature [ed25519.SignatureSize]byte
}

// Fields codes the hash for wire.
func (h *PieceHash) Fields(c *wire.Codec) {
	c.Fixed(1, h.Piece[:])
	c.Int(2, &h.Size)
	c.Fixed(3, h.Hash[:])
	c.Time(4, &h.Created)
	c.Fixed(5, h.Signature[:])
}

func (h *PieceHash) signed() []byte {
	unsigned := *h
	unsigned.Signature = [ed25519.SignatureSize]byte{}
	return wire.Append([]byte(purposeHash), &unsigned)
}

// Sign signs the hash with the private key of the limit's uplink.
func (h *PieceHash) Sign(key ed25519.PrivateKey) {
	copy(h.Signature[:], ed25519.Sign(key, h.signed()))
}

// Verify says whether the limit's uplink signed the hash.
func (h *PieceHash) Verify(uplink [ed25519.PublicKeySize]byte) bool {
	return ed25519.Verify(uplink[:], h.signed(), h.Signature[:])
}

// Proof is what a node keeps beside a piece: the limit by which it took it and the hash that the uplink signed.
type Proof struct {
	Limit SignedLimit
	Hash  PieceHash
}

// MaxProofSize is the largest encoded Proof in bytes.
const MaxProofSize = MaxLimitSize + 512

// Fields codes the proof for wire.
func (p *Proof) Fields(c *wire.Codec) {
	c.Message(1, &p.Limit)
	c.Message(2, &p.Hash)
}

// PieceAck is a node's statement to the satellite that it stores a piece durably. The uplink carries it.
type PieceAck struct {
	Piece   PieceID
	Size    int64 // bytes
	Hash    [32]byte
	Created time.Time
	Epoch   uint32
	MAC     [sha256.Size]byte
}

// MaxAckSize is the largest encoded PieceAck in bytes.
const MaxAckSize = 192

// Fields codes the acknowledgement for wire.
func (a *PieceAck) Fields(c *wire.Codec) {
	c.Fixed(1, a.Piece[:])
	c.Int(2, &a.Size)
	c.Fixed(3, a.Hash[:])
	c.Time(4, &a.Created)
	c.Uint32(5, &a.Epoch)
	c.Fixed(6, a.MAC[:])
}

func (a *PieceAck) body() []byte {
	plain := *a
	plain.MAC = [sha256.Size]byte{}
	return wire.Append(make([]byte, 0, 128), &plain)
}

// Sign authenticates the acknowledgement with the node's key, whose epoch is written into it.
func (a *PieceAck) Sign(key NodeKey) {
	a.Epoch = key.Epoch
	a.MAC = key.mac(purposeAck, a.body())
}

// Verify says whether the holder of key made the acknowledgement.
func (a *PieceAck) Verify(key NodeKey) bool {
	sum := key.mac(purposeAck, a.body())
	return hmac.Equal(sum[:], a.MAC[:])
}
