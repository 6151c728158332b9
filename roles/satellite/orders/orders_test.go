package orders

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/netx"
	"storj/pieces"
)

func testSigner() *Signer {
	return New(Options{Satellite: netx.NodeID{0xaa}, Secret: ecenc.Key{1, 2, 3}})
}

func targets(count int) []endpoint.LimitTarget {
	list := make([]endpoint.LimitTarget, count)
	for i := range list {
		list[i].Number = i
		binary.BigEndian.PutUint64(list[i].Node.ID[:], uint64(i)+1)
		list[i].Node.Address = "10.0.0.1:7777"
	}
	return list
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSigner()
		root := pieces.PieceID{9}
		key := s.UploadKey(root)
		req := endpoint.LimitRequest{
			Action: pieces.ActionPut, Root: root, Bytes: 1 << 20, PieceExpires: time.Now().Add(time.Hour).UTC(),
			Uplink: key.Public, BucketTag: s.BucketTag(metainfo.ProjectID{7}, "photos"), Targets: targets(5),
		}
		serials := make(map[pieces.SerialNumber]bool)
		for i, limit := range s.Limits(req) {
			node := req.Targets[i].Node
			keys := s.NodeKeys(node.ID)
			if limit.Number != i || limit.Node != node || !limit.Limit.Verify(keys[0]) || limit.Limit.Verify(keys[1]) {
				t.Errorf("limit %d is not of the node's current key", i)
			}
			got, err := limit.Limit.Decode()
			if err != nil {
				t.Fatal(err)
			}
			want := pieces.OrderLimit{
				Satellite: netx.NodeID{0xaa}, Node: node.ID, Piece: root.Derive(node.ID, i), Action: pieces.ActionPut,
				Limit: 1 << 20, PieceExpires: req.PieceExpires, Created: time.Now().UTC(), Expires: got.Serial.Expires(),
				Serial: got.Serial, UplinkKey: key.Public, BucketTag: req.BucketTag, Epoch: keys[0].Epoch,
			}
			if !bytes.Equal(got.BucketTag, want.BucketTag) {
				t.Error("bucket tag differs")
			}
			got.BucketTag, want.BucketTag = nil, nil
			if !equal(got, want) {
				t.Errorf("limit is\n%+v, want\n%+v", got, want)
			}
			if left := time.Until(got.Expires); left <= LimitLife-time.Second || left > LimitLife || serials[got.Serial] {
				t.Errorf("expires in %v, or serial twice", left)
			}
			serials[got.Serial] = true
		}
	})
}

func equal(a, b pieces.OrderLimit) bool {
	key := pieces.NodeKey{}
	return bytes.Equal(a.Sign(key).Raw, b.Sign(key).Raw)
}

func TestUploadKeyIsDerived(t *testing.T) {
	t.Parallel()
	one, other := testSigner().UploadKey(pieces.PieceID{1}), testSigner().UploadKey(pieces.PieceID{2})
	if one != testSigner().UploadKey(pieces.PieceID{1}) || one == other {
		t.Error("key does not follow from secret and root alone")
	}
	if New(Options{Secret: ecenc.Key{4}}).UploadKey(pieces.PieceID{1}) == one {
		t.Error("key does not depend on the secret")
	}
	hash := pieces.PieceHash{Size: 5}
	hash.Sign(ed25519.NewKeyFromSeed(one.Seed[:]))
	if !hash.Verify(one.Public) || hash.Verify(other.Public) {
		t.Error("public key is not that of the seed")
	}
	if testSigner().DownloadKey() == testSigner().DownloadKey() {
		t.Error("download keys repeat")
	}
}

func TestCheckAckEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSigner()
		node := netx.NodeID{5}
		key := s.NodeKeys(node)[0]
		ack := pieces.PieceAck{Piece: pieces.PieceID{1}, Size: 10, Created: time.Now()}
		ack.Sign(key)
		check := func(when string, want bool) {
			t.Helper()
			if s.CheckAck(node, &ack) != want {
				t.Errorf("%s: valid %v, want %v", when, !want, want)
			}
		}
		check("now", true)
		if s.CheckAck(netx.NodeID{6}, &ack) {
			t.Error("valid for another node")
		}
		other := ack
		other.Size++
		if s.CheckAck(node, &other) {
			t.Error("valid with another size")
		}
		time.Sleep(Epoch)
		check("an epoch later", true)
		if keys := s.NodeKeys(node); keys[1] != key || keys[0].Epoch != key.Epoch+1 {
			t.Error("previous key is not told")
		}
		time.Sleep(Epoch)
		check("two epochs later", false)
	})
}

func TestNextKeyIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSigner()
		node := netx.NodeID{5}
		// A node that checks in every hour must at any time have the key that limits are signed with.
		known := s.NodeKeys(node)
		for range 31 * 24 * 2 {
			time.Sleep(30 * time.Minute)
			limit := s.Limits(endpoint.LimitRequest{Targets: []endpoint.LimitTarget{{Node: netx.NodeURL{ID: node}}}})[0].Limit
			verified := false
			for _, key := range known {
				verified = verified || limit.Verify(key)
			}
			if !verified {
				t.Fatalf("at %v a node does not know the key", time.Now())
			}
			if time.Now().Minute() == 0 {
				known = s.NodeKeys(node)
			}
		}
	})
}

func TestBucketTagKeyOfTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testSigner()
		first := s.BucketTag(metainfo.ProjectID{1}, "photos")
		time.Sleep(24 * time.Hour)
		second := s.BucketTag(metainfo.ProjectID{1}, "photos")
		if bytes.Equal(first[:4], second[:4]) {
			t.Error("tags of two days have one key: its random nonces run out")
		}
		for _, tag := range [][]byte{first, second} {
			if _, bucket, err := s.OpenBucketTag(tag); err != nil || bucket != "photos" {
				t.Errorf("%q, %v", bucket, err)
			}
		}
	})
}

func TestBucketTag(t *testing.T) {
	t.Parallel()
	s := testSigner()
	longest := strings.Repeat("b", 63)
	tag := s.BucketTag(metainfo.ProjectID{1, 2}, longest)
	if len(tag) > pieces.MaxBucketTag || bytes.Contains(tag, []byte("bbb")) {
		t.Fatalf("%d bytes, or in the clear", len(tag))
	}
	project, bucket, err := New(s.opts).OpenBucketTag(tag)
	if err != nil || bucket != longest || project != (metainfo.ProjectID{1, 2}) {
		t.Fatalf("%v %q %v", project, bucket, err)
	}
	if bytes.Equal(tag, s.BucketTag(metainfo.ProjectID{1, 2}, longest)) {
		t.Error("nodes can tell buckets apart")
	}
	for i := range tag {
		bad := bytes.Clone(tag)
		bad[i] ^= 1
		if _, _, err := s.OpenBucketTag(bad); !errors.Is(err, ErrTag) {
			t.Errorf("byte %d altered: %v", i, err)
		}
		if _, _, err := s.OpenBucketTag(tag[:i]); !errors.Is(err, ErrTag) {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
}

func TestKeyCacheIsBounded(t *testing.T) {
	t.Parallel()
	s := testSigner()
	for i := range maxCachedKeys {
		s.keys[keyName{epoch: uint32(i)}] = pieces.NodeKey{}
	}
	key := s.NodeKeys(netx.NodeID{1})[0]
	if len(s.keys) > 2 || key != pieces.DeriveNodeKey(s.opts.Secret, netx.NodeID{1}, key.Epoch) {
		t.Errorf("%d keys cached", len(s.keys))
	}
}

func BenchmarkLimits(b *testing.B) {
	s := testSigner()
	req := endpoint.LimitRequest{Action: pieces.ActionPut, Bytes: 1 << 20, Targets: targets(110)}
	b.ReportAllocs()
	for b.Loop() {
		req.Root = pieces.NewPieceID()
		req.Uplink = s.UploadKey(req.Root).Public
		req.BucketTag = s.BucketTag(metainfo.ProjectID{}, "bucket")
		s.Limits(req)
	}
}

func BenchmarkCheckAcks(b *testing.B) {
	s := testSigner()
	acks := make([]pieces.PieceAck, 80)
	nodes := targets(80)
	for i := range acks {
		acks[i] = pieces.PieceAck{Piece: pieces.NewPieceID(), Size: 2 << 20, Created: time.Now()}
		acks[i].Sign(s.NodeKeys(nodes[i].Node.ID)[0])
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range acks {
			if !s.CheckAck(nodes[i].Node.ID, &acks[i]) {
				b.Fatal("not valid")
			}
		}
	}
}

func BenchmarkUploadKey(b *testing.B) {
	s := testSigner()
	for b.Loop() {
		s.UploadKey(pieces.PieceID{1})
	}
}

func BenchmarkDeriveNodeKey(b *testing.B) {
	for b.Loop() {
		pieces.DeriveNodeKey(ecenc.Key{1}, netx.NodeID{2}, 3)
	}
}
