package uplink

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"testing"

	"storj/e2e/format"
	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/ecenc/erasure"
	"storj/ecenc/keys"
	"storj/metainfo"
	"storj/pieces"
)

// formatVectors are objects as satellite and nodes have them, for readers of other implementations; see docs/format.md.
const formatVectors = "../../e2e/format/testdata/vectors.json"

// formatVector is an object and what it opens to. Its form is known to the test in e2e/format too.
type formatVector struct {
	Name     string            `json:"name"`
	Grant    string            `json:"grant"`
	Record   format.Record     `json:"record"`
	Key      string            `json:"key"`
	Metadata map[string]string `json:"metadata"`
	Tags     map[string]string `json:"tags"`
	SHA256   string            `json:"sha256"`
	Error    bool              `json:"error,omitempty"`
}

// TestFormat stores objects of all kinds and has a reader open them that knows docs/format.md and none of this code.
func TestFormat(t *testing.T) {
	t.Parallel()
	vectors := storeVectors(t)
	for _, v := range vectors {
		grant, err := format.ParseGrant(v.Grant)
		if err != nil {
			t.Fatal(err)
		}
		object, err := grant.Open(&v.Record)
		switch {
		case v.Error && err == nil:
			t.Errorf("%s: opened", v.Name)
		case v.Error:
		case err != nil:
			t.Errorf("%s: %v", v.Name, err)
		case object.Key != v.Key || sumOf(object.Content) != v.SHA256 || !maps.Equal(object.Metadata, v.Metadata) || !maps.Equal(object.Tags, v.Tags):
			t.Errorf("%s: opens to %q, %v, %v, %d bytes", v.Name, object.Key, object.Metadata, object.Tags, len(object.Content))
		}
	}
	if !*update || t.Failed() {
		return
	}
	raw, err := json.MarshalIndent(vectors, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(formatVectors, append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestFormatVectors holds that objects stored long ago are read for good.
func TestFormatVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(formatVectors)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []formatVector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 10 {
		t.Fatalf("%d vectors", len(vectors))
	}
	for _, v := range vectors {
		key, s, content, err := openVector(&v)
		if v.Error {
			if err == nil {
				t.Errorf("%s: opened", v.Name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if key != v.Key || sumOf(content) != v.SHA256 || !maps.Equal(s.custom, v.Metadata) || !maps.Equal(s.tags, v.Tags) {
			t.Errorf("%s: opens to %q, %v, %v, %d bytes", v.Name, key, s.custom, s.tags, len(content))
		}
	}
}

// TestArgonVector holds the one vector of the document that its reader cannot compute.
func TestArgonVector(t *testing.T) {
	t.Parallel()
	root, err := keys.RootKey([]byte("correct horse"), []byte("sixteen bytes ok"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	line := `root key of the passphrase "correct horse" with the salt "sixteen bytes ok"` + "\n    " + hex.EncodeToString(root[:]) + "\n"
	if !strings.Contains(string(document), line) {
		t.Errorf("the document lacks\n%s", line)
	}
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// storeVectors stores the objects.
func storeVectors(t *testing.T) (vectors []formatVector) {
	w := newWorld(t, 10)
	w.service.segmentSize = cipher.PlainBlockSize
	p := withBucket(t, w, "secret")
	root := serialize(t, p.access)
	add := func(name, grant, bucket, key string, content []byte) *formatVector {
		t.Helper()
		object, err := p.Stat(t.Context(), bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, formatVector{
			Name: name, Grant: grant, Record: w.stored(t, p, bucket, key), Key: key, Metadata: object.Custom, Tags: object.Tags,
			SHA256: sumOf(content),
		})
		return &vectors[len(vectors)-1]
	}
	custom, tags := CustomMetadata{"content-type": "text/plain", "ü": "漢"}, Tags{"project": "x"}
	small, piece, large := content(100), content(5000), content(2*cipher.PlainBlockSize+50)

	put(t, p, "inline", small, &UploadOptions{Metadata: custom, Tags: tags})
	add("inline", root, bucketName, "inline", small)
	put(t, p, "empty", nil, nil)
	add("empty", root, bucketName, "empty", nil)
	put(t, p, "photos/2026/cat.jpg", piece, &UploadOptions{Metadata: custom})
	add("pieces, one stripe", root, bucketName, "photos/2026/cat.jpg", piece)
	put(t, p, "a//\x01./ü/", large, nil)
	add("three segments, odd key", root, bucketName, "a//\x01./ü/", large)
	if _, err := p.Copy(t.Context(), bucketName, "photos/2026/cat.jpg", bucketName, "copy", nil); err != nil {
		t.Fatal(err)
	}
	add("copied", root, bucketName, "copy", piece)

	for _, prefix := range []string{"photos/", "photos/2026/cat.jpg", "photos/2026", ""} {
		shared, err := p.Share(t.Context(), ReadOnlyPermission(), SharePrefix{Bucket: bucketName, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		add(fmt.Sprintf("shared prefix %q", prefix), serialize(t, shared), bucketName, "photos/2026/cat.jpg", piece)
	}
	other, err := p.Share(t.Context(), ReadOnlyPermission(), SharePrefix{Bucket: bucketName, Prefix: "photos/2025/"})
	if err != nil {
		t.Fatal(err)
	}
	add("another prefix was shared", serialize(t, other), bucketName, "photos/2026/cat.jpg", piece).Error = true
	add("another passphrase", serialize(t, w.access("wrong")), bucketName, "inline", small).Error = true

	if _, err := p.CreateBucket(t.Context(), "plain", &BucketOptions{PlainNames: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Put(t.Context(), "plain", "dir/file", bytes.NewReader(small), nil); err != nil {
		t.Fatal(err)
	}
	add("plain names", root, "plain", "dir/file", small).Record.PlainNames = true

	add("uploaded in parts", root, bucketName, "parts", uploadParts(t, p, "parts", map[int]int{2: 3000, 3: 3000, 5: 0, 9: 40000}, nil))
	sizes := map[int]int{}
	for number := 1; number <= 550; number++ {
		sizes[number] = 1 + number%3
	}
	filling := &UploadOptions{Metadata: CustomMetadata{"filling": strings.Repeat("x", 2000)}}
	hashed := uploadParts(t, p, "many parts", sizes, filling)
	add("many different parts", root, bucketName, "many parts", hashed)
	t2, err := p.locate(t.Context(), bucketName, "many parts")
	if err != nil {
		t.Fatal(err)
	}
	if o, err := p.fetch(t.Context(), t2); err != nil || o.seal.parts != nil {
		t.Fatalf("the parts of a vector that needs their hash fit into its seal, or %v", err)
	}

	w.scheme = ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 2, Repair: 2, Optimal: 4, Total: 4}
	w.service.segmentSize = testSegment
	wide := w.open(t, "secret")
	stripes := content(70000)
	put(t, wide, "stripes", stripes, nil)
	add("pieces, two stripes", root, bucketName, "stripes", stripes)
	return vectors
}

func uploadParts(t *testing.T, p *Project, key string, sizes map[int]int, opts *UploadOptions) (whole []byte) {
	id := beginParts(t, p, key, opts)
	for number := 1; number <= 1000; number++ {
		if size, ok := sizes[number]; ok {
			putPart(t, p, key, id, number, partContent(number, size))
			whole = append(whole, partContent(number, size)...)
		}
	}
	commitParts(t, p, key, id, nil)
	return whole
}

// stored gathers what satellite and nodes have of an object, with as few pieces as will do, parity before data.
func (w *world) stored(t *testing.T, p *Project, bucket, key string) format.Record {
	t.Helper()
	ctx := t.Context()
	at, err := p.locate(ctx, bucket, key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.meta.Download(ctx, &metainfo.DownloadRequest{Auth: p.auth(), Bucket: bucket, Key: at.encrypted, Length: -1})
	if err != nil {
		t.Fatal(err)
	}
	segments := got.Segments
	for more := got.More; more; {
		last := segments[len(segments)-1]
		next := last.PlainOffset + last.PlainSize
		rest, err := p.meta.DownloadSegments(ctx, &metainfo.DownloadSegmentsRequest{
			Auth: p.auth(), Token: got.Token, Offset: next, Length: got.Object.PlainSize - next,
		})
		if err != nil {
			t.Fatal(err)
		}
		segments, more = append(segments, rest.Segments...), rest.More
	}
	record := format.Record{
		Bucket: bucket, Key: at.encrypted, WrappedKey: got.Object.WrappedKey, Metadata: got.Object.Metadata,
	}
	if got.Object.Parts > 0 {
		err := p.eachPart(ctx, metainfo.ListPartsRequest{Bucket: bucket, Key: at.encrypted}, func(part *metainfo.Part) error {
			record.Parts = append(record.Parts, format.Part{Number: part.Number, Size: part.PlainSize})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range segments {
		s := &segments[i]
		out := format.Segment{
			Part: s.Position.Part, Index: s.Position.Index, PlainOffset: s.PlainOffset, PlainSize: s.PlainSize,
			EncryptedSize: s.EncryptedSize, Salt: s.Salt[:], Inline: s.Inline, Required: s.Redundancy.Required,
			Total: s.Redundancy.Total, ShareSize: s.Redundancy.ShareSize,
		}
		if s.Redundancy.Required > 0 {
			out.Pieces = w.pieces(t, s)
		}
		record.Segments = append(record.Segments, out)
	}
	return record
}

// pieces reads the pieces of the highest numbers from the nodes' stores.
func (w *world) pieces(t *testing.T, s *metainfo.DownloadSegment) map[int][]byte {
	t.Helper()
	out := make(map[int][]byte)
	for number := s.Redundancy.Total - 1; number >= 0 && len(out) < s.Redundancy.Required; number-- {
		for _, l := range s.Limits {
			if l.Number != number {
				continue
			}
			limit, err := l.Limit.Decode()
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range w.nodes {
				if n.url.ID == l.Node.ID {
					out[number] = readPiece(t, n, w, limit.Piece)
				}
			}
		}
	}
	if len(out) < s.Redundancy.Required {
		t.Fatalf("%d pieces", len(out))
	}
	return out
}

// openVector opens a record with the parts of this library.
func openVector(v *formatVector) (key string, s *seal, content []byte, err error) {
	access, err := ParseAccess(v.Grant)
	if err != nil {
		return "", nil, nil, err
	}
	ring := withNames(access.bucketKeys(v.Record.Bucket), v.Record.PlainNames)
	if key, err = ring.DecryptPath(v.Record.Bucket, v.Record.Key); err != nil {
		return "", nil, nil, err
	}
	record := &metainfo.Object{WrappedKey: v.Record.WrappedKey, Metadata: v.Record.Metadata, Segments: uint32(len(v.Record.Segments))}
	for _, seg := range v.Record.Segments {
		record.PlainSize += seg.PlainSize
	}
	runs := []partRun{{0, 1, record.PlainSize}}
	if v.Record.Parts != nil {
		runs = nil
	}
	for _, part := range v.Record.Parts {
		runs = appendPart(runs, part.Number, part.Size)
	}
	record.Segments = emptyAsWell(record.Segments, v.Record.Segments, runs)
	t := target{bucket: v.Record.Bucket, key: key, keys: ring}
	o, err := t.open(record)
	if err != nil {
		return "", nil, nil, err
	}
	placed, err := newLayout(o.seal, runs)
	if err != nil {
		return "", nil, nil, err
	}
	if o.seal.parts == nil && runs[0].first > 0 && hashParts(runs) != o.seal.partsHash {
		return "", nil, nil, ErrCorrupt
	}
	for i := range v.Record.Segments {
		plain, err := openVectorSegment(o, placed, &v.Record.Segments[i])
		if err != nil {
			return "", nil, nil, err
		}
		content = append(content, plain...)
	}
	return key, o.seal, content, nil
}

// emptyAsWell counts the segments of empty parts, which the satellite does not list for a reader.
func emptyAsWell(count uint32, listed []format.Segment, runs []partRun) uint32 {
	for _, r := range runs {
		if r.size == 0 {
			count += r.count
		}
	}
	for _, s := range listed {
		if s.PlainSize == 0 {
			count--
		}
	}
	return count
}

func openVectorSegment(o *opened, placed *layout, s *format.Segment) ([]byte, error) {
	at := metainfo.Position{Part: s.Part, Index: s.Index}
	if offset, size, ok := placed.segment(at); !ok || offset != s.PlainOffset || size != s.PlainSize {
		return nil, ErrCorrupt
	}
	data := s.Inline
	if s.Required > 0 {
		code, err := erasure.New(ecenc.Redundancy{
			Code: ecenc.CodeVandermonde, Required: s.Required, Repair: s.Required, Optimal: s.Total, Total: s.Total, ShareSize: s.ShareSize,
		})
		if err != nil {
			return nil, err
		}
		shares := make([][]byte, s.Total)
		for number, piece := range s.Pieces {
			shares[number] = piece
		}
		if data, err = code.DecodeStripes(shares, nil); err != nil {
			return nil, err
		}
		data = data[:s.EncryptedSize]
	}
	c, err := cipher.New(cipher.SegmentKey(o.content, [cipher.SaltSize]byte(s.Salt), s.Part, s.Index))
	if err != nil {
		return nil, err
	}
	return c.OpenSegment(nil, data)
}

func readPiece(t *testing.T, n *testNode, w *world, id pieces.PieceID) []byte {
	t.Helper()
	r, err := n.store.Open(t.Context(), w.satellite.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	piece, err := io.ReadAll(io.NewSectionReader(r, 0, r.Info().Size))
	if err != nil {
		t.Fatal(err)
	}
	return piece
}
