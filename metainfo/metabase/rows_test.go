package metabase

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"storj/ecenc"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
	"storj/netx"
	"storj/pieces"
)

var update = flag.Bool("update", false, "write the golden files")

func fullSegment(count int) metainfo.Segment {
	s := metainfo.Segment{
		Created: time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC), Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		Repaired: time.Date(2026, 12, 1, 0, 0, 0, 5, time.UTC), PlainOffset: 1 << 40, PlainSize: metainfo.SegmentSize,
		EncryptedSize: metainfo.SegmentCipherSize, Salt: [16]byte{1, 2, 3}, Root: pieces.PieceID{4, 5, 6},
		Redundancy: ecenc.Redundancy{
			Code: 1, Required: 29, Repair: 35, Optimal: 80, Total: 110, ShareSize: ecenc.MaxShareSize,
		},
		Placement: 300,
	}
	for i := range count {
		s.Pieces = append(s.Pieces, metainfo.Piece{Number: i + i/3, Alias: metainfo.NodeAlias(1<<21 - 1 - i*7)})
	}
	return s
}

// TestSegmentSize is a promise of the package comment: 29/80 with all there is to say, in under 600 bytes.
func TestSegmentSize(t *testing.T) {
	t.Parallel()
	s := fullSegment(80)
	row := newSegmentRow(&s)
	key := tables{}.segments().Key(nil, segmentKey{})
	if size := len(key) + len(wire.Marshal(&row)); size > 600 {
		t.Errorf("%d bytes", size)
	} else {
		t.Logf("%d bytes", size)
	}
}

// sampleRows is one of each kind, by name.
func sampleRows() map[string]wire.Message {
	at := time.Date(2026, 11, 22, 10, 0, 0, 7, time.UTC)
	s := fullSegment(3)
	remote := newSegmentRow(&s)
	inline := newSegmentRow(&metainfo.Segment{Created: at, PlainSize: 3, EncryptedSize: 19, Inline: []byte("abc")})
	project := metainfo.ProjectID{1}
	ref := ObjectRef{Project: project, Bucket: "bucket", Key: []byte("key"), Version: 5}
	return map[string]wire.Message{
		"project": &projectRow{metainfo.Project{Name: "name", Salt: [32]byte{2}, Created: at, Limits: metainfo.Limits{Storage: 1, Rate: 2}}},
		"key":     &keyRow{metainfo.APIKeyRecord{Secret: ecenc.Key{3}, Project: project, Name: "k", Created: at, Revoked: true}},
		"bucket": &bucketRow{metainfo.Bucket{
			Created: at, PlainNames: true, Versioning: metainfo.VersioningEnabled, Lock: true, TTL: time.Hour, Placement: 3,
			Retention: metainfo.DefaultRetention{Mode: metainfo.Compliance, Days: 7},
		}},
		"object": &objectRow{Object: metainfo.Object{Stream: metainfo.StreamID{4}, Created: at, Expires: at, Segments: 2, PlainSize: 5, EncryptedSize: 6, WrappedKey: []byte("w"), Metadata: []byte("m")}},
		"version": &objectRow{
			Object: metainfo.Object{
				Stream: metainfo.StreamID{4}, Created: at, Parts: 3, Null: true, Marker: true, LegalHold: true,
				Retention: metainfo.Retention{Mode: metainfo.Governance, Until: at},
			},
			nullBelow: 9, moved: at,
		},
		"remote": &remote,
		"inline": &inline,
		"part":   &partRow{metainfo.StreamID{5}, at, 2, 3, 4, []byte("m")},
		"index":  &partIndexRow{[]partPlace{{1, 0}, {10_000, 1 << 40}}},
		"ref":    &refRow{ref},
		"upload": &uploadRow{ref: refRow{ref}, created: at, activity: at, expires: at},
		"in parts": &uploadRow{
			ref: refRow{ref}, created: at, activity: at, kind: uploadInParts, wrappedKey: []byte("w"), metadata: []byte("m"),
			retention: metainfo.Retention{Mode: metainfo.Governance, Until: at}, hold: true,
		},
		"attempt":  &uploadRow{ref: refRow{ref}, created: at, activity: at, kind: partAttempt, parent: metainfo.StreamID{6}, part: 7},
		"document": &documentRow{at, []byte("text")},
		"rules":    &lifecycleRow{metainfo.Lifecycle{Rules: []metainfo.LifecycleRule{{ID: "a", Prefix: []byte("p/"), ExpireDays: 3}}}},
		"deletion": &deletionRow{
			Deletion: metainfo.Deletion{Bucket: "bucket", Prefix: []byte("p/"), Created: at, Objects: 1, Bytes: 2, Kept: 3, Reason: 261},
			project:  project, all: true, bypass: true, drop: true, done: at, at: deletionCursor{[]byte("k"), 4},
		},
		"node":    &nodeRow{Node{Alias: 7, Address: "host:1", Domain: "attic", Version: "v1", Capacity: 1, Used: 2, Free: 3, Joined: at, LastContact: at, Leaving: true}},
		"token":   &tokenRow{JoinToken{Created: at, Expires: at, UsesLeft: 3, Note: "n", Admitted: []netx.NodeID{{1}, {2}}}},
		"id":      &idRow{project},
		"hash":    &hashRow{hash{9}},
		"time":    &timeRow{at: at},
		"counter": &counterRow{300},
		"empty":   &emptyRow{},
	}
}

// TestRowsGolden pins the bytes: what a satellite has stored must stay readable.
func TestRowsGolden(t *testing.T) {
	t.Parallel()
	rows := sampleRows()
	var lines []string
	for name, row := range rows {
		b := wire.Marshal(row)
		lines = append(lines, name+" "+hex.EncodeToString(b))
		back := reflect.New(reflect.TypeOf(row).Elem())
		if err := wire.Unmarshal(b, back.Interface().(wire.Message)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if again := wire.Marshal(back.Interface().(wire.Message)); !bytes.Equal(again, b) {
			t.Errorf("%s: read and written again: %x, want %x", name, again, b)
		}
	}
	slices.Sort(lines)
	golden(t, "testdata/rows.golden", strings.Join(lines, "\n")+"\n")
}

// TestKeysGolden pins the keys of one row in each table.
func TestKeysGolden(t *testing.T) {
	t.Parallel()
	project, stream := metainfo.ProjectID{1, 2}, metainfo.StreamID{3, 4}
	name, x := nameKey{project, "name"}, tables{}
	keys := [][]byte{
		x.projects().Key(nil, project),
		x.projectNames().Key(nil, "name"),
		x.keys().Key(nil, hash{5}),
		x.keyNames().Key(nil, name),
		x.buckets().Key(nil, name),
		x.objects().Key(nil, objectKey{ObjectRef{Project: project, Bucket: "bucket", Key: []byte("key\x00/")}, 1}),
		x.segments().Key(nil, segmentKey{stream, metainfo.Position{Part: 1, Index: 2}}),
		x.parts().Key(nil, partKey{stream, 7}),
		x.partIndex().Key(nil, stream),
		x.pending().Key(nil, pendingKey{ObjectRef{Project: project, Bucket: "bucket", Key: []byte("key")}, stream}),
		x.ended().Key(nil, endedKey{8, stream}),
		x.copies().Key(nil, timedKey{6, stream}),
		x.documents().Key(nil, documentKey{project, "bucket", "tags"}),
		x.lifecycles().Key(nil, name),
		x.deletions().Key(nil, metainfo.DeletionID{9}),
		x.uploads().Key(nil, stream),
		x.dead().Key(nil, stream),
		x.expiries().Key(nil, timedKey{6, stream}),
		x.nodes().Key(nil, netx.NodeID{7}),
		x.aliases().Key(nil, 8),
		x.tokens().Key(nil, hash{9}),
		x.revocations().Key(nil, hash{10}),
		x.counters().Key(nil, aliasCounter),
	}
	var text strings.Builder
	letters := map[byte]bool{}
	for _, key := range keys {
		fmt.Fprintf(&text, "%c %x\n", key[0], key[1:])
		letters[key[0]] = true
	}
	if len(letters) != len(keys) {
		t.Error("two tables share a letter")
	}
	golden(t, "testdata/keys.golden", text.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (go test -update writes it anew):\n%s", path, got)
	}
}

// TestObjectKeyLimit is the promise that the longest object key fits the store, whatever its bytes.
func TestObjectKeyLimit(t *testing.T) {
	t.Parallel()
	ref := ObjectRef{Bucket: strings.Repeat("b", 63), Key: make([]byte, metainfo.MaxKeySize)}
	if size := len(tables{}.objects().Key(nil, objectKey{ref, 1})); size > kv.MaxKeySize {
		t.Errorf("%d bytes, the store takes %d", size, kv.MaxKeySize)
	}
}

// TestCheckFinds damages a store in each way that Check should see.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	stream := metainfo.StreamID{1}
	segment := newSegmentRow(&metainfo.Segment{PlainSize: 3, Inline: []byte("abc")})
	damages := map[string]func(kv.Tx, ObjectRef, *objectRow) error{
		"segment of nothing": func(tx kv.Tx, _ ObjectRef, _ *objectRow) error {
			return tables{}.segments().Put(tx, segmentKey{stream: stream}, &segment)
		},
		"segment lost": func(tx kv.Tx, _ ObjectRef, o *objectRow) error {
			return tables{}.segments().Delete(tx, segmentKey{stream: o.Stream})
		},
		"bucket lost": func(tx kv.Tx, ref ObjectRef, _ *objectRow) error {
			return tables{}.buckets().Delete(tx, nameKey{ref.Project, ref.Bucket})
		},
		"size": func(tx kv.Tx, ref ObjectRef, o *objectRow) error {
			o.PlainSize++
			return tables{}.objects().Put(tx, objectKey{ref, o.Version}, o)
		},
		"expiry lost": func(tx kv.Tx, _ ObjectRef, o *objectRow) error { return deleteExpiry(tx, o) },
		"expiry of nothing": func(tx kv.Tx, ref ObjectRef, _ *objectRow) error {
			return tables{}.expiries().Put(tx, timedKey{1, stream}, &refRow{ref})
		},
		"two owners": func(tx kv.Tx, _ ObjectRef, o *objectRow) error {
			return tables{}.uploads().Put(tx, o.Stream, &uploadRow{})
		},
		"part of a plain object": func(tx kv.Tx, _ ObjectRef, o *objectRow) error {
			return tables{}.parts().Put(tx, partKey{o.Stream, 1}, &partRow{stream: stream})
		},
		"part of nothing": func(tx kv.Tx, _ ObjectRef, _ *objectRow) error {
			return tables{}.parts().Put(tx, partKey{stream, 1}, &partRow{stream: metainfo.StreamID{2}})
		},
		"parts lost": func(tx kv.Tx, ref ObjectRef, o *objectRow) error {
			o.Parts = 2
			return tables{}.objects().Put(tx, objectKey{ref, o.Version}, o)
		},
		"index of nothing": func(tx kv.Tx, _ ObjectRef, _ *objectRow) error {
			return tables{}.partIndex().Put(tx, stream, &partIndexRow{})
		},
		"upload not listed": func(tx kv.Tx, _ ObjectRef, _ *objectRow) error {
			return tables{}.uploads().Put(tx, stream, &uploadRow{kind: uploadInParts})
		},
		"listed is no upload": func(tx kv.Tx, ref ObjectRef, _ *objectRow) error {
			return tables{}.pending().Put(tx, pendingKey{ref, stream}, &emptyRow{})
		},
		"two null versions": func(tx kv.Tx, ref ObjectRef, o *objectRow) error {
			marker := objectRow{Object: metainfo.Object{Marker: true, Null: true}}
			return tables{}.objects().Put(tx, objectKey{ref, o.Version + 1}, &marker)
		},
		"null version forgotten": func(tx kv.Tx, ref ObjectRef, o *objectRow) error {
			marker := objectRow{Object: metainfo.Object{Marker: true}}
			return tables{}.objects().Put(tx, objectKey{ref, o.Version + 1}, &marker)
		},
		"document of nothing": func(tx kv.Tx, ref ObjectRef, _ *objectRow) error {
			return tables{}.documents().Put(tx, documentKey{ref.Project, "none", "tags"}, &documentRow{data: []byte("x")})
		},
		"rules of nothing": func(tx kv.Tx, ref ObjectRef, _ *objectRow) error {
			return tables{}.lifecycles().Put(tx, nameKey{ref.Project, "none"}, &lifecycleRow{})
		},
		"alias": func(tx kv.Tx, _ ObjectRef, _ *objectRow) error {
			return tables{}.nodes().Put(tx, netx.NodeID{5}, &nodeRow{Node{Alias: 3}})
		},
		"pieces": func(tx kv.Tx, _ ObjectRef, o *objectRow) error {
			s := segment
			s.packed = []byte{0xff}
			return tables{}.segments().Put(tx, segmentKey{stream: o.Stream}, &s)
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := Open(t.Context(), memkv.New(memkv.Options{}))
			if err != nil {
				t.Fatal(err)
			}
			p, err := db.CreateProject(t.Context(), "p")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.CreateBucket(t.Context(), p.ID, metainfo.Bucket{Name: "bucket"}); err != nil {
				t.Fatal(err)
			}
			up := Upload{ObjectRef: ObjectRef{Project: p.ID, Bucket: "bucket", Key: []byte("k")}, Stream: metainfo.NewStreamID(), Expires: now().Add(time.Hour)}
			last := metainfo.Segment{PlainSize: 3, Inline: []byte("abc")}
			if _, err := db.CommitObject(t.Context(), CommitObject{Upload: up, Last: &last, Segments: 1}); err != nil {
				t.Fatal(err)
			}
			if err := db.Check(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			err = db.store.Update(t.Context(), func(tx kv.Tx) error {
				row, err := find(tx, &up.ObjectRef, now())
				if err != nil {
					return err
				}
				return damage(tx, up.ObjectRef, row)
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Check(t.Context()); err == nil {
				t.Error("not found")
			}
		})
	}
}

func FuzzRows(f *testing.F) {
	kinds := []string{}
	for name := range sampleRows() {
		kinds = append(kinds, name)
	}
	slices.Sort(kinds)
	for i, name := range kinds {
		f.Add(byte(i), wire.Marshal(sampleRows()[name]))
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		name := kinds[int(kind)%len(kinds)]
		row := reflect.New(reflect.TypeOf(sampleRows()[name]).Elem()).Interface().(wire.Message)
		if wire.Unmarshal(b, row) != nil {
			return
		}
		if s, ok := row.(*segmentRow); ok {
			if list, err := unpackPieces(s.packed); err == nil {
				again, err := unpackPieces(packPieces(list))
				if err != nil || !slices.Equal(again, list) {
					t.Fatalf("pieces %v came back as %v, %v", list, again, err)
				}
			}
		}
		once := wire.Marshal(row)
		back := reflect.New(reflect.TypeOf(row).Elem()).Interface().(wire.Message)
		if err := wire.Unmarshal(once, back); err != nil {
			t.Fatalf("%s %x: %v", name, once, err)
		}
		if twice := wire.Marshal(back); !bytes.Equal(once, twice) {
			t.Fatalf("%s %x was written again as %x", name, once, twice)
		}
	})
}

// FuzzKeys reads stored keys of every table: what is read is what was written.
func FuzzKeys(f *testing.F) {
	x, stream := tables{}, metainfo.StreamID{3}
	ref := ObjectRef{Project: metainfo.ProjectID{1}, Bucket: "bucket", Key: []byte("k\x00y")}
	for _, key := range [][]byte{
		x.objects().Key(nil, objectKey{ref, 3}), x.segments().Key(nil, segmentKey{stream, metainfo.Position{Part: 1}}),
		x.parts().Key(nil, partKey{stream, 7}), x.pending().Key(nil, pendingKey{ref, stream}),
		x.ended().Key(nil, endedKey{8, stream}), x.copies().Key(nil, timedKey{6, stream}),
		x.documents().Key(nil, documentKey{ref.Project, "bucket", "tags"}), {},
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, x.objects(), b)
		again(t, x.segments(), b)
		again(t, x.parts(), b)
		again(t, x.pending(), b)
		again(t, x.ended(), b)
		again(t, x.copies(), b)
		again(t, x.documents(), b)
	})
}

func again[K, V any, P kv.Row[V]](t *testing.T, table kv.Table[K, V, P], b []byte) {
	t.Helper()
	if k, err := table.ParseKey(b); err == nil && !bytes.Equal(table.Key(nil, k), b) {
		t.Errorf("%x was read as %+v", b, k)
	}
}
