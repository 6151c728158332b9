package format

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math/big"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the vectors into the document")

const (
	document   = "../../docs/format.md"
	fenceStart = "```vectors\n"
	fenceEnd   = "```"
)

func counting(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(from + i)
	}
	return b
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// sealGCM and what follows are the writing half, for vectors.
func sealGCM(t *testing.T, key, nonce, plain []byte) []byte {
	aead, err := gcm(key)
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, nonce, plain, nil)
}

func escape(data []byte) (out []byte) {
	for _, b := range data {
		switch b {
		case 0x00:
			out = append(out, 1, 1)
		case 0x01:
			out = append(out, 1, 2)
		case 0x2e:
			out = append(out, 0x2e, 1)
		case 0x2f:
			out = append(out, 0x2e, 2)
		case 0xfe:
			out = append(out, 0xfe, 1)
		case 0xff:
			out = append(out, 0xfe, 2)
		default:
			out = append(out, b)
		}
	}
	return out
}

func encryptComponent(t *testing.T, folder []byte, name string) []byte {
	if name == "" {
		return []byte{1}
	}
	nonce := derive(folder, "name-nonce:"+name)[:12]
	sealed := sealGCM(t, derive(folder, "name-key"), nonce, []byte(name))
	return append([]byte{2}, escape(append(nonce, sealed...))...)
}

func box(t *testing.T, key []byte, purpose string, nonce, plain []byte) []byte {
	boxKey := must[[]byte](t)(hkdf.Key(sha256.New, key, nil, "storj/box/v1/"+purpose, 32))
	return append(bytes.Clone(nonce), sealGCM(t, boxKey, nonce, plain)...)
}

func text(version byte, payload []byte) string {
	raw := append([]byte{version}, payload...)
	first := sha256.Sum256(raw)
	second := sha256.Sum256(first[:])
	raw = append(raw, second[:4]...)
	var out []byte
	for n, digit := new(big.Int).SetBytes(raw), new(big.Int); n.Sign() > 0; {
		n.DivMod(n, big.NewInt(58), digit)
		out = append([]byte{alphabet[digit.Int64()]}, out...)
	}
	for _, b := range raw {
		if b != 0 {
			break
		}
		out = append([]byte{alphabet[0]}, out...)
	}
	return string(out)
}

// vectors computes section 13.
func vectors(t *testing.T) string {
	var out strings.Builder
	line := func(label string, value []byte) {
		out.WriteString(label + "\n    " + hex.EncodeToString(value) + "\n")
	}
	root := counting(0, 32)
	out.WriteString(argonVector)
	out.WriteString("\nbase58check of version 2 and the payload \"hello\"\n    \"" + text(2, []byte("hello")) + "\"\n")

	out.WriteString("\nfor the root key\n    " + hex.EncodeToString(root) + "\n")
	bucket := Child(root, "photos")
	line("key of bucket \"photos\"", bucket)
	folder := Child(bucket, "2026")
	line("key of \"2026\" in it", folder)
	pathKey := Child(folder, "cat.jpg")
	line("path key of \"2026/cat.jpg\" in it", pathKey)
	line("name key of the bucket", derive(bucket, "name-key"))
	encrypted := encryptComponent(t, bucket, "2026")
	encrypted = append(append(encrypted, '/'), encryptComponent(t, folder, "cat.jpg")...)
	line("encrypted key of \"2026/cat.jpg\"", encrypted)
	line("escape of 00 01 2e 2f fe ff 61", escape([]byte{0, 1, 0x2e, 0x2f, 0xfe, 0xff, 0x61}))
	if path, key, err := (&Grant{Root: root}).locate("photos", encrypted, false); err != nil ||
		path != "2026/cat.jpg" || !bytes.Equal(key, pathKey) {
		t.Fatalf("located as %q, %v", path, err)
	}

	content, nonce := counting(32, 32), counting(64, 12)
	out.WriteString("\nfor the content key\n    " + hex.EncodeToString(content) + "\n")
	line("wrap key of that object", derive(pathKey, "content"))
	line("wrapped key, with the nonce 40 41 ... 4b", box(t, derive(pathKey, "content"), "content-key/v1", nonce, content))
	message := []byte{0x08, 2, 0x10, 40, 0x18, 20, 0x22, 6, 0x0a, 1, 'k', 0x12, 1, 'v', 0x32, 6, 0x08, 1, 0x10, 2, 0x18, 20}
	line("metadata: 2 segments, 20 bytes, segments of 10, k = v, parts 1 and 2 of 10 bytes", message)
	line("its box, with the same nonce", box(t, content, "object-metadata/v1", nonce, message))
	salt := counting(80, 16)
	key := must[[]byte](t)(SegmentKey(content, salt, 3, 5))
	line("segment key of part 3, index 5, with the salt 50 51 ... 5f", key)
	line("the empty segment under that key", sealGCM(t, key, append([]byte{0, 0, 0, 1}, make([]byte, 8)...), nil))
	line("the segment \"hello\" under that key", sealGCM(t, key, append([]byte{0, 0, 0, 1}, make([]byte, 8)...), []byte("hello")))
	out.WriteString("\nfor required 4, total 6\n")
	matrix := must[[][]byte](t)(Matrix(4, 6))
	line("row 4 of the matrix", matrix[4])
	line("row 5 of the matrix", matrix[5])
	h := hmac.New(sha256.New, counting(0, 32))
	h.Write(binary.BigEndian.AppendUint32(counting(32, 32), 7))
	line("ID of piece 7 with the root piece ID 00 01 ... 1f on the node 20 21 ... 3f", h.Sum(nil))
	return out.String()
}

// argonVector is held by a test of the client library.
const argonVector = `root key of the passphrase "correct horse" with the salt "sixteen bytes ok"
    99fd2e7acff7931a55e2c473726d34abed1ac44a3b804239d522ff232ebce06d
`

// TestDocument holds the vectors of the document to what this package computes.
func TestDocument(t *testing.T) {
	raw := must[[]byte](t)(os.ReadFile(document))
	before, rest, found := strings.Cut(string(raw), fenceStart)
	got, after, ended := strings.Cut(rest, fenceEnd)
	if !found || !ended {
		t.Fatal("the document has no vectors")
	}
	want := vectors(t)
	if *update {
		if err := os.WriteFile(document, []byte(before+fenceStart+want+fenceEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		got = want
	}
	if got != want {
		t.Errorf("the vectors of the document differ; run with -update and look at the difference:\n%s", want)
	}
}
