package orders

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/netx"
	"storj/pieces"
)

const (
	// Epoch is how long a node's key is in use.
	Epoch = 30 * 24 * time.Hour
	// announceBefore is how long before its start a node is told the key of an epoch: many check-ins.
	announceBefore = 48 * time.Hour
	// LimitLife is how long a limit is good for.
	LimitLife = time.Hour

	// maxCachedKeys bounds the cache of node keys: two epochs of 20,000 nodes and some.
	maxCachedKeys = 1 << 16

	labelPieceKey  = "storj/piece-key/v1"
	labelBucketTag = "storj/bucket-tag/v1"
)

// ErrTag is returned for a bucket tag that this satellite did not make.
var ErrTag = errors.New("bucket tag is not of this satellite")

// Options says whose limits to make.
type Options struct {
	Satellite netx.NodeID
	Secret    ecenc.Key
}

// Signer makes limits.
type Signer struct {
	opts Options

	mu   sync.RWMutex // guards the fields below
	keys map[keyName]pieces.NodeKey
	tags map[uint32]cipher.AEAD // by day; one
}

type keyName struct {
	node  netx.NodeID
	epoch uint32
}

var _ endpoint.LimitSigner = (*Signer)(nil)

// New returns a signer.
func New(opts Options) *Signer {
	return &Signer{opts: opts, keys: make(map[keyName]pieces.NodeKey), tags: make(map[uint32]cipher.AEAD)}
}

// epochAt returns the number of the epoch at an instant.
func epochAt(t time.Time) uint32 { return uint32(t.Unix() / int64(Epoch/time.Second)) }

// NodeKeys returns the keys that a node needs until its next check-in, the current one first.
func (s *Signer) NodeKeys(node netx.NodeID) []pieces.NodeKey {
	now := time.Now()
	epoch := epochAt(now)
	keys := []pieces.NodeKey{s.nodeKey(node, epoch), s.nodeKey(node, epoch-1)}
	if epochAt(now.Add(announceBefore)) != epoch {
		keys = append(keys, pieces.DeriveNodeKey(s.opts.Secret, node, epoch+1))
	}
	return keys
}

func (s *Signer) nodeKey(node netx.NodeID, epoch uint32) pieces.NodeKey {
	name := keyName{node, epoch}
	s.mu.RLock()
	key, known := s.keys[name]
	s.mu.RUnlock()
	if known {
		return key
	}
	key = pieces.DeriveNodeKey(s.opts.Secret, node, epoch)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) >= maxCachedKeys {
		clear(s.keys) // those in use come back at once
	}
	s.keys[name] = key
	return key
}

// UploadKey returns the key pair derived from the root.
func (s *Signer) UploadKey(root pieces.PieceID) endpoint.PieceKey {
	mac := hmac.New(sha256.New, s.opts.Secret[:])
	mac.Write([]byte(labelPieceKey))
	mac.Write(root[:])
	var seed [ed25519.SeedSize]byte
	mac.Sum(seed[:0])
	return pieceKey(seed)
}

// DownloadKey returns a random key pair.
func (s *Signer) DownloadKey() endpoint.PieceKey {
	var seed [ed25519.SeedSize]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the process instead
	return pieceKey(seed)
}

func pieceKey(seed [ed25519.SeedSize]byte) endpoint.PieceKey {
	public := ed25519.NewKeyFromSeed(seed[:])[ed25519.SeedSize:]
	return endpoint.PieceKey{Seed: seed, Public: [ed25519.PublicKeySize]byte(public)}
}

// Limits returns one limit for each target.
func (s *Signer) Limits(req endpoint.LimitRequest) []pieces.PieceLimit {
	now := time.Now().UTC()
	expires := now.Add(LimitLife).Truncate(time.Second)
	epoch := epochAt(now)
	limit := pieces.OrderLimit{
		Satellite:    s.opts.Satellite,
		Action:       req.Action,
		Limit:        req.Bytes,
		PieceExpires: req.PieceExpires,
		Created:      now,
		Expires:      expires,
		UplinkKey:    req.Uplink,
		BucketTag:    req.BucketTag,
	}
	limits := make([]pieces.PieceLimit, len(req.Targets))
	serials := newSerials(s.opts.Secret, &limit, len(limits))
	for i, target := range req.Targets {
		limit.Node, limit.Piece = target.Node.ID, req.Root.Derive(target.Node.ID, target.Number)
		limit.Serial = serials.next(limit.Node, limit.Piece)
		limits[i] = pieces.PieceLimit{
			Number: target.Number, Node: target.Node, Group: target.Group,
			Limit: limit.Sign(s.nodeKey(target.Node.ID, epoch)),
		}
	}
	return limits
}

// CheckAck says whether node made the acknowledgement, in this epoch or the one before.
func (s *Signer) CheckAck(node netx.NodeID, ack *pieces.PieceAck) bool {
	epoch := epochAt(time.Now())
	if ack.Epoch != epoch && ack.Epoch != epoch-1 {
		return false
	}
	return ack.Verify(s.nodeKey(node, ack.Epoch))
}

// BucketTag encrypts the bucket's name.
//
// Its key lives for a day: every plan and every batch of a download draws a random nonce, and AES-GCM bears 2^32 of those
// under one key (NIST SP 800-38D), which in an epoch are 1,700 a second.
func (s *Signer) BucketTag(project metainfo.ProjectID, bucket string) []byte {
	day := uint32(time.Now().Unix() / (24 * 60 * 60))
	plain := append(append(make([]byte, 0, 80), project[:]...), bucket...)
	tag := make([]byte, 4+12, pieces.MaxBucketTag)
	binary.BigEndian.PutUint32(tag, day)
	_, _ = rand.Read(tag[4:]) // never fails: crypto/rand ends the process instead
	return s.tagKey(day).Seal(tag, tag[4:], plain, nil)
}

// OpenBucketTag reads what BucketTag made. Errors: ErrTag.
func (s *Signer) OpenBucketTag(tag []byte) (project metainfo.ProjectID, bucket string, err error) {
	if len(tag) < 4+12 || len(tag) > pieces.MaxBucketTag {
		return project, "", ErrTag
	}
	plain, err := newTagKey(s.opts.Secret, binary.BigEndian.Uint32(tag)).Open(nil, tag[4:16], tag[16:], nil)
	if err != nil || len(plain) < len(project) {
		return project, "", ErrTag
	}
	return metainfo.ProjectID(plain[:len(project)]), string(plain[len(project):]), nil
}

func (s *Signer) tagKey(day uint32) cipher.AEAD {
	s.mu.RLock()
	aead := s.tags[day]
	s.mu.RUnlock()
	if aead != nil {
		return aead
	}
	aead = newTagKey(s.opts.Secret, day)
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tags) // of the day before
	s.tags[day] = aead
	return aead
}

func newTagKey(secret ecenc.Key, day uint32) cipher.AEAD {
	raw, err := hkdf.Key(sha256.New, secret[:], nil, fmt.Sprintf("%s %d", labelBucketTag, day), ecenc.KeySize)
	if err != nil {
		panic(err) // the length asked for is constant and small
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		panic(err) // the length is that of a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the block size is that of AES
	}
	return aead
}
