package pieces

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/netx"
)

var update = flag.Bool("update", false, "rewrite golden files")

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)

func filled[T ~[32]byte](b byte) (v T) {
	for i := range v {
		v[i] = b
	}
	return v
}

func testLimit() OrderLimit {
	expires := epoch.Add(time.Hour).Truncate(time.Second)
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32)).Public().(ed25519.PublicKey)
	l := OrderLimit{
		Satellite: filled[netx.NodeID](1), Node: filled[netx.NodeID](2), Piece: filled[PieceID](3),
		Action: ActionPut, Limit: 1 << 20, PieceExpires: epoch.Add(24 * time.Hour),
		Created: epoch, Expires: expires, UplinkKey: [32]byte(key), BucketTag: []byte("tag"),
	}
	l.Serial = NewSerialNumber(expires)
	copy(l.Serial[8:], "abcdefgh")
	return l
}

func TestLimitIsOnlyGoodUnderItsKey(t *testing.T) {
	secret := ecenc.Key(filled[ecenc.Key](9))
	limit := testLimit()
	key := DeriveNodeKey(secret, limit.Node, 7)
	signed := limit.Sign(key)
	if !signed.Verify(key) {
		t.Fatal("a signed limit does not verify")
	}
	got, err := signed.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if got.Epoch != 7 || got.Serial != limit.Serial || got.Limit != limit.Limit || !got.Created.Equal(limit.Created) {
		t.Errorf("decoded %+v, signed %+v", got, limit)
	}
	for name, other := range map[string]NodeKey{
		"other node":   DeriveNodeKey(secret, filled[netx.NodeID](4), 7),
		"other epoch":  DeriveNodeKey(secret, limit.Node, 8),
		"other secret": DeriveNodeKey(filled[ecenc.Key](8), limit.Node, 7),
	} {
		if signed.Verify(other) {
			t.Errorf("limit verifies under the key of %s", name)
		}
	}
	for i := range signed.Raw {
		altered := SignedLimit{Raw: bytes.Clone(signed.Raw), MAC: signed.MAC}
		altered.Raw[i] ^= 1
		if altered.Verify(key) {
			t.Fatalf("limit with byte %d altered verifies", i)
		}
	}
}

func TestSignaturesCoverEveryField(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))
	uplink := [32]byte(key.Public().(ed25519.PublicKey))
	order := Order{Serial: testLimit().Serial, Amount: 77}
	order.Sign(key)
	hash := PieceHash{Piece: filled[PieceID](3), Size: 10, Hash: filled[PieceID](4), Created: epoch}
	hash.Sign(key)
	ack := PieceAck{Piece: filled[PieceID](3), Size: 10, Hash: filled[PieceID](4), Created: epoch}
	nodeKey := DeriveNodeKey(filled[ecenc.Key](9), filled[netx.NodeID](2), 7)
	ack.Sign(nodeKey)
	if !order.Verify(uplink) || !hash.Verify(uplink) || !ack.Verify(nodeKey) {
		t.Fatal("what was signed does not verify")
	}
	alter := map[string]func() bool{
		"order serial":  func() bool { o := order; o.Serial[0]++; return o.Verify(uplink) },
		"order amount":  func() bool { o := order; o.Amount++; return o.Verify(uplink) },
		"order signer":  func() bool { return order.Verify([32]byte{1}) },
		"hash piece":    func() bool { h := hash; h.Piece[0]++; return h.Verify(uplink) },
		"hash size":     func() bool { h := hash; h.Size++; return h.Verify(uplink) },
		"hash hash":     func() bool { h := hash; h.Hash[0]++; return h.Verify(uplink) },
		"hash created":  func() bool { h := hash; h.Created = h.Created.Add(1); return h.Verify(uplink) },
		"ack piece":     func() bool { a := ack; a.Piece[0]++; return a.Verify(nodeKey) },
		"ack size":      func() bool { a := ack; a.Size++; return a.Verify(nodeKey) },
		"ack hash":      func() bool { a := ack; a.Hash[0]++; return a.Verify(nodeKey) },
		"ack created":   func() bool { a := ack; a.Created = a.Created.Add(1); return a.Verify(nodeKey) },
		"ack epoch":     func() bool { a := ack; a.Epoch++; return a.Verify(nodeKey) },
		"hash as order": func() bool { o := order; o.Signature = hash.Signature; return o.Verify(uplink) },
	}
	for name, verifies := range alter {
		if verifies() {
			t.Errorf("%s altered, and it verifies", name)
		}
	}
}

func TestDerivedIDsDiffer(t *testing.T) {
	root := filled[PieceID](1)
	seen := map[PieceID]bool{root: true}
	for node := range byte(10) {
		for number := range 10 {
			id := root.Derive(filled[netx.NodeID](node), number)
			if seen[id] {
				t.Fatalf("node %d number %d: derived ID seen before", node, number)
			}
			seen[id] = true
		}
	}
	id := root.Derive(filled[netx.NodeID](1), 1)
	back, err := ParsePieceID(id.String())
	if err != nil || back != id {
		t.Errorf("text form of %x reads back as %x, %v", id, back, err)
	}
}

// TestGolden pins every signed or authenticated message, so that another implementation can be checked against it.
func TestGolden(t *testing.T) {
	const path = "testdata/vectors.json"
	limit := testLimit()
	nodeKey := DeriveNodeKey(filled[ecenc.Key](9), limit.Node, 7)
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))
	signed := limit.Sign(nodeKey)
	order := Order{Serial: limit.Serial, Amount: 77}
	order.Sign(key)
	hash := PieceHash{Piece: limit.Piece, Size: 10, Hash: filled[PieceID](4), Created: epoch}
	hash.Sign(key)
	ack := PieceAck{Piece: limit.Piece, Size: 10, Hash: filled[PieceID](4), Created: epoch}
	ack.Sign(nodeKey)
	proof := Proof{Limit: signed, Hash: hash}
	got := map[string]string{
		"node key: secret 32x09, node 32x02, epoch 7":        hex.EncodeToString(nodeKey.Key[:]),
		"derived piece: root 32x03, node 32x02, number 5":    limit.Piece.Derive(limit.Node, 5).String(),
		"signed limit under that key":                        hex.EncodeToString(wire.Marshal(&signed)),
		"order of 77 bytes, Ed25519 seed 32x05":              hex.EncodeToString(wire.Marshal(&order)),
		"piece hash of 10 bytes, hash 32x04, same seed":      hex.EncodeToString(wire.Marshal(&hash)),
		"piece acknowledgement of the same under node key":   hex.EncodeToString(wire.Marshal(&ack)),
		"proof: that limit and that hash":                    hex.EncodeToString(wire.Marshal(&proof)),
		"upload header: that limit, 10 bytes":                hex.EncodeToString(wire.Marshal(&UploadHeader{Limit: signed, Size: 10})),
		"download header: that limit and order, [3, 3+7)":    hex.EncodeToString(wire.Marshal(&DownloadHeader{Limit: signed, Offset: 3, Length: 7, Order: order})),
		"download reply: 10 bytes, trashed, with that proof": hex.EncodeToString(wire.Marshal(&DownloadReply{Size: 10, Trashed: true, Proof: wire.Marshal(&proof)})),
	}
	if *update {
		raw, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%d vectors, golden file has %d", len(got), len(want))
	}
	for name, value := range got {
		if want[name] != value {
			t.Errorf("%s:\n got %s\nwant %s", name, value, want[name])
		}
	}
	if len(wire.Marshal(&proof)) > MaxProofSize || len(wire.Marshal(&signed)) > MaxLimitSize || len(wire.Marshal(&ack)) > MaxAckSize {
		t.Error("a message is larger than its limit")
	}
}

func TestErrorsHaveTheirOwnReasons(t *testing.T) {
	seen := map[netx.Reason]error{}
	for _, e := range append(Errors(), netx.Errors()...) {
		if other, taken := seen[e.Reason]; taken || e.Reason == 0 {
			t.Errorf("%q and %q share reason %d", e, other, e.Reason)
		}
		seen[e.Reason] = e
		code, reason := netx.Classify(e)
		if back := netx.FromWire(code, reason, Errors(), netx.Errors()); back != error(e) {
			t.Errorf("%q comes back from the wire as %q", e, back)
		}
	}
}

func TestHMACIsThatOfTheStandardLibrary(t *testing.T) {
	for size := range 1200 {
		body := bytes.Repeat([]byte{byte(size)}, size)
		mac := hmac.New(sha256.New, bytes.Repeat([]byte{7}, 32))
		mac.Write([]byte("purpose"))
		mac.Write(body)
		if got := hmacSHA256(filled[ecenc.Key](7), "purpose", body); !bytes.Equal(got[:], mac.Sum(nil)) {
			t.Fatalf("%d bytes: %x, want %x", size, got, mac.Sum(nil))
		}
	}
}

func FuzzMessages(f *testing.F) {
	limit := testLimit()
	signed := limit.Sign(NodeKey{})
	f.Add(wire.Marshal(&UploadHeader{Limit: signed, Size: 10}))
	f.Add(wire.Marshal(&DownloadHeader{Limit: signed, Length: 7}))
	f.Add(wire.Marshal(&CheckIn{Address: "127.0.0.1:1", Capacity: 5}))
	f.Add(wire.Marshal(&PieceAck{Size: 4}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range []func() wire.Message{
			func() wire.Message { return &OrderLimit{} },
			func() wire.Message { return &UploadHeader{} },
			func() wire.Message { return &DownloadHeader{} },
			func() wire.Message { return &DownloadReply{} },
			func() wire.Message { return &Proof{} },
			func() wire.Message { return &Order{} },
			func() wire.Message { return &PieceAck{} },
			func() wire.Message { return &CheckIn{} },
			func() wire.Message { return &CheckInReply{} },
			func() wire.Message { return &PieceLimit{} },
			func() wire.Message { return &StoredPiece{} },
		} {
			first := m()
			if wire.Unmarshal(raw, first) != nil {
				continue
			}
			again := m()
			encoded := wire.Marshal(first)
			if err := wire.Unmarshal(encoded, again); err != nil {
				t.Fatalf("%T: what was read cannot be read again: %v", first, err)
			}
			if twice := wire.Marshal(again); !bytes.Equal(twice, encoded) {
				t.Fatalf("%T: encodings differ:\n%x\n%x", first, encoded, twice)
			}
		}
	})
}
