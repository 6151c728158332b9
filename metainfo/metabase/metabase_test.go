package metabase_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"storj/ecenc"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
)

// world is a DB with one project and one bucket.
type world struct {
	*metabase.DB
	t       testing.TB
	ctx     context.Context // of the test
	project metainfo.ProjectID
}

// newWorld runs each transaction's function twice, to find those that must not be.
func newWorld(t testing.TB) *world {
	return newWorldOn(t, memkv.New(memkv.Options{RunTwice: true}))
}

// newBoltWorld stands on a file. With sync its commits last.
func newBoltWorld(t testing.TB, sync bool) *world {
	store, err := boltkv.Open(t.Context(), t.TempDir()+"/metabase", boltkv.Options{NoSync: !sync, Format: metabase.Format()})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, store)
}

func newWorldOn(t testing.TB, store kv.Store) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before cleanup
	t.Cleanup(cancel)
	db, err := metabase.Open(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	p, err := db.CreateProject(ctx, "project")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{db, t, ctx, p.ID}
	w.bucket("bucket")
	t.Cleanup(func() {
		if err := db.Check(ctx); err != nil {
			t.Errorf("check: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

func (w *world) bucket(name string) {
	w.t.Helper()
	if _, err := w.CreateBucket(w.ctx, w.project, metainfo.Bucket{Name: name}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ref(key string) metabase.ObjectRef {
	return metabase.ObjectRef{Project: w.project, Bucket: "bucket", Key: []byte(key)}
}

func (w *world) upload(key string) metabase.Upload {
	return metabase.Upload{ObjectRef: w.ref(key), Stream: metainfo.NewStreamID(), Created: time.Now()}
}

// inline is an object of one inline segment with this content.
func (w *world) inline(up metabase.Upload, content string) metabase.CommitObject {
	return metabase.CommitObject{Upload: up, Last: inlineSegment(0, 0, content), Segments: 1, WrappedKey: []byte("key")}
}

// put commits an inline object.
func (w *world) put(key, content string) metainfo.Object {
	w.t.Helper()
	o, err := w.CommitObject(w.ctx, w.inline(w.upload(key), content))
	if err != nil {
		w.t.Fatalf("put %q: %v", key, err)
	}
	return o
}

// part commits a part of one inline segment.
func (w *world) part(whole metabase.Upload, number uint32, content string) metainfo.Part {
	w.t.Helper()
	up := whole
	up.Stream, up.Parent, up.Part = metainfo.NewStreamID(), whole.Stream, number
	p, err := w.CommitPart(w.ctx, metabase.CommitPart{Upload: up, Last: partSegment(number, 0, 0, content), Segments: 1})
	if err != nil {
		w.t.Fatalf("part %d: %v", number, err)
	}
	return p
}

// putParts commits an object in parts.
func (w *world) putParts(key string, parts ...string) metainfo.Object {
	w.t.Helper()
	up := w.upload(key)
	wantErr(w.t, "begin", w.BeginUpload(w.ctx, metabase.BeginUpload{Upload: up, WrappedKey: []byte("key")}), nil)
	for i, content := range parts {
		w.part(up, uint32(i+1), content)
	}
	o, err := w.CommitObject(w.ctx, metabase.CommitObject{Upload: up})
	wantErr(w.t, "commit", err, nil)
	return o
}

// delete deletes one object or version.
func (w *world) delete(ref metabase.ObjectRef) metainfo.DeletedItem {
	w.t.Helper()
	items, err := w.Delete(w.ctx, metabase.Delete{
		Project: ref.Project, Bucket: ref.Bucket, Items: []metainfo.DeleteItem{{Key: ref.Key, Version: ref.Version}},
	})
	if err != nil || len(items) != 1 {
		w.t.Fatalf("delete %q: %v, %v", ref.Key, items, err)
	}
	return items[0]
}

// content reads an object made of inline segments, "<none>" if there is none.
func (w *world) content(key string) string {
	w.t.Helper()
	d, err := w.Download(w.ctx, w.ref(key), 0, -1, 1000)
	if errors.Is(err, metainfo.ErrObjectNotFound) {
		return "<none>"
	}
	if err != nil {
		w.t.Fatalf("download %q: %v", key, err)
	}
	var all []byte
	for _, s := range d.Segments {
		if s.Offset != int64(len(all)) {
			w.t.Errorf("%q: segment %s lies at %d, want %d", key, s.Position, s.Offset, len(all))
		}
		all = append(all, s.Inline...)
	}
	return string(all)
}

// inlineSegment holds content at part 0.
func inlineSegment(index uint32, offset int64, content string) *metainfo.Segment {
	return partSegment(0, index, offset, content)
}

func partSegment(number, index uint32, offset int64, content string) *metainfo.Segment {
	return &metainfo.Segment{
		Position: metainfo.Position{Part: number, Index: index}, PlainOffset: offset,
		PlainSize: int64(len(content)), EncryptedSize: int64(len(content)) + 16, Inline: []byte(content),
	}
}

// remoteSegment has count pieces at the numbers 0, 1, ...
func remoteSegment(count int) *metainfo.Segment {
	s := &metainfo.Segment{
		PlainSize: 1 << 20, EncryptedSize: 1<<20 + 512, Root: pieces.PieceID{1, 2, 3}, Salt: [16]byte{4},
		Redundancy: ecenc.Redundancy{
			Code: ecenc.CodeVandermonde, Required: 29, Repair: 35, Optimal: 80, Total: 110, ShareSize: ecenc.MaxShareSize,
		},
	}
	for i := range count {
		s.Pieces = append(s.Pieces, metainfo.Piece{Number: i, Alias: metainfo.NodeAlias(1000 + i)})
	}
	return s
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestOpenNewer(t *testing.T) {
	t.Parallel()
	store := memkv.New(memkv.Options{})
	if _, err := kv.Claim(t.Context(), store, kv.Format{Name: "metabase", Version: 99}); err != nil {
		t.Fatal(err)
	}
	_, err := metabase.Open(t.Context(), store)
	wantErr(t, "open", err, metainfo.ErrNewer)
}

func TestProjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, err := w.CreateProject(w.ctx, "another")
	wantErr(t, "create", err, nil)
	_, err = w.CreateProject(w.ctx, "another")
	wantErr(t, "create again", err, metainfo.ErrProjectExists)
	_, err = w.CreateProject(w.ctx, "")
	wantErr(t, "create without name", err, metainfo.ErrName)
	for name, get := range map[string]func() (metainfo.Project, error){
		"by ID":   func() (metainfo.Project, error) { return w.Project(w.ctx, a.ID) },
		"by name": func() (metainfo.Project, error) { return w.ProjectByName(w.ctx, "another") },
	} {
		if got, err := get(); err != nil || got != a || got.Salt == [32]byte{} || got.Created.IsZero() {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, a)
		}
	}
	_, err = w.Project(w.ctx, metainfo.ProjectID{1})
	wantErr(t, "unknown ID", err, metainfo.ErrProjectNotFound)
	_, err = w.ProjectByName(w.ctx, "nobody")
	wantErr(t, "unknown name", err, metainfo.ErrProjectNotFound)
	list, err := w.Projects(w.ctx)
	if err != nil || len(list) != 2 || list[0] != a || list[1].ID != w.project {
		t.Errorf("list: %+v, %v", list, err)
	}
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := metainfo.APIKeyRecord{Head: [32]byte{1}, Secret: ecenc.Key{2}, Project: w.project, Name: "laptop"}
	wantErr(t, "create", w.CreateAPIKey(w.ctx, key), nil)
	wantErr(t, "same name", w.CreateAPIKey(w.ctx, key), metainfo.ErrKeyExists)
	key.Name = "x\n"
	wantErr(t, "bad name", w.CreateAPIKey(w.ctx, key), metainfo.ErrName)
	wantErr(t, "no project", w.CreateAPIKey(w.ctx, metainfo.APIKeyRecord{Name: "x"}), metainfo.ErrProjectNotFound)

	got, tailRevoked, err := w.APIKey(w.ctx, [32]byte{1}, [32]byte{7})
	if err != nil || tailRevoked || got.Secret != key.Secret || got.Project != w.project || got.Created.IsZero() {
		t.Errorf("get: %+v, %v, %v", got, tailRevoked, err)
	}
	_, _, err = w.APIKey(w.ctx, [32]byte{9})
	wantErr(t, "unknown head", err, metainfo.ErrAPIKey)

	wantErr(t, "revoke tail", w.RevokeTail(w.ctx, [32]byte{7}, time.Now(), time.Time{}), nil)
	wantErr(t, "revoke tail again", w.RevokeTail(w.ctx, [32]byte{7}, time.Now(), time.Time{}), nil)
	if _, revoked, err := w.APIKey(w.ctx, [32]byte{1}, [32]byte{6}, [32]byte{7}, [32]byte{8}); err != nil || !revoked {
		t.Errorf("revoked tail: %v, %v", revoked, err)
	}

	_, err = w.RevokeAPIKey(w.ctx, w.project, "nobody")
	wantErr(t, "revoke unknown", err, metainfo.ErrKeyNotFound)
	for range 2 {
		if got, err := w.RevokeAPIKey(w.ctx, w.project, "laptop"); err != nil || !got.Revoked || got.Head != (hash{1}) {
			t.Errorf("revoke: %+v, %v", got, err)
		}
	}
	if got, _, err := w.APIKey(w.ctx, [32]byte{1}); err != nil || !got.Revoked {
		t.Errorf("after revoke: %+v, %v", got, err)
	}
	key.Name, key.Head = "laptop", [32]byte{3}
	wantErr(t, "name of a revoked key", w.CreateAPIKey(w.ctx, key), nil)
	key.Name, key.Head = "desktop", [32]byte{4}
	wantErr(t, "another", w.CreateAPIKey(w.ctx, key), nil)
	list, err := w.APIKeys(w.ctx, w.project)
	if err != nil || len(list) != 2 || list[0].Head != (hash{4}) || list[1].Head != (hash{3}) {
		t.Errorf("list: %+v, %v", list, err)
	}
	_, err = w.APIKeys(w.ctx, metainfo.ProjectID{1})
	wantErr(t, "keys of no project", err, metainfo.ErrProjectNotFound)
}

type hash = [32]byte

func TestBuckets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.CreateBucket(w.ctx, w.project, metainfo.Bucket{Name: "bucket"})
	wantErr(t, "same name", err, metainfo.ErrBucketExists)
	_, err = w.CreateBucket(w.ctx, w.project, metainfo.Bucket{Name: "No"})
	wantErr(t, "bad name", err, metainfo.ErrBucketName)
	_, err = w.CreateBucket(w.ctx, metainfo.ProjectID{1}, metainfo.Bucket{Name: "bucket"})
	wantErr(t, "no project", err, metainfo.ErrProjectNotFound)
	made, err := w.CreateBucket(w.ctx, w.project, metainfo.Bucket{Name: "plain", PlainNames: true})
	wantErr(t, "create", err, nil)
	if got, err := w.Bucket(w.ctx, w.project, "plain"); err != nil || got != made || !got.PlainNames {
		t.Errorf("get: %+v, %v; want %+v", got, err, made)
	}
	_, err = w.Bucket(w.ctx, w.project, "none")
	wantErr(t, "unknown", err, metainfo.ErrBucketNotFound)
	for i := range metainfo.MaxBuckets - 2 {
		w.bucket(fmt.Sprintf("many-%03d", i))
	}
	_, err = w.CreateBucket(w.ctx, w.project, metainfo.Bucket{Name: "too-many"})
	wantErr(t, "one too many", err, metainfo.ErrTooManyBuckets)

	pages, cursor, names := 0, "", []string(nil)
	for more := true; more; pages++ {
		var list []metainfo.Bucket
		list, more, err = w.Buckets(w.ctx, w.project, cursor, 33)
		if err != nil || len(list) == 0 || len(list) > 33 {
			t.Fatalf("page of %d, %v", len(list), err)
		}
		for _, b := range list {
			names = append(names, b.Name)
		}
		cursor = names[len(names)-1]
	}
	if pages != 4 || len(names) != metainfo.MaxBuckets || names[0] != "bucket" || cursor != "plain" {
		t.Errorf("%d names on %d pages: %v", len(names), pages, names)
	}
}

func TestDeleteBucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket("bucket2") // a name that begins alike
	other := w.ref("kept")
	other.Bucket = "bucket2"
	up := w.upload("")
	up.ObjectRef = other
	if _, err := w.CommitObject(w.ctx, w.inline(up, "kept")); err != nil {
		t.Fatal(err)
	}
	const objects = 2500
	for i := range objects {
		w.put(fmt.Sprint("object ", i), "x")
	}
	_, err := w.DeleteBucket(w.ctx, w.project, "bucket")
	wantErr(t, "not empty", err, metainfo.ErrBucketNotEmpty)
	job, err := w.StartDeletion(w.ctx, metabase.StartDeletion{Project: w.project, Bucket: "bucket", DropBucket: true})
	wantErr(t, "start", err, nil)
	w.SetBatch(500)
	calls := 0
	for more := true; more; calls++ {
		if job, more, err = w.RunDeletionBatch(w.ctx, job.ID); err != nil {
			t.Fatal(err)
		}
	}
	if job.Objects != objects || calls < 2 {
		t.Errorf("deleted %d in %d calls", job.Objects, calls)
	}
	_, err = w.DeleteBucket(w.ctx, w.project, "bucket")
	wantErr(t, "gone", err, metainfo.ErrBucketNotFound)
	_, err = w.CommitObject(w.ctx, w.inline(w.upload("late"), ""))
	wantErr(t, "commit to a gone bucket", err, metainfo.ErrBucketNotFound)
	totals, err := w.BucketTotals(w.ctx)
	if err != nil || len(totals) != 1 || totals[0].Bucket != "bucket2" || totals[0].Objects != 1 {
		t.Errorf("left: %+v, %v", totals, err)
	}
	if d := w.delete(other); !d.Found {
		t.Errorf("delete: %+v", d)
	}
	_, err = w.DeleteBucket(w.ctx, w.project, "bucket2")
	wantErr(t, "empty", err, nil)
	w.bucket("bucket")
	if got := w.content("object 1"); got != "<none>" {
		t.Errorf("bucket of the same name has %q", got)
	}
}

func TestObjectKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	longest := bytes.Repeat([]byte{0}, metainfo.MaxKeySize) // doubled when stored
	for i, key := range []string{"a", "\x00", "a\x00", "\xff\xff", "a/", "/", string(longest)} {
		w.put(key, fmt.Sprint("content ", i))
		if got := w.content(key); got != fmt.Sprint("content ", i) {
			t.Errorf("%.10q: %q", key, got)
		}
	}
	for _, key := range []string{"", string(longest) + "x"} {
		_, err := w.CommitObject(w.ctx, w.inline(w.upload(key), ""))
		wantErr(t, "bad key", err, metainfo.ErrObjectKey)
		wantErr(t, "bad key", w.CommitSegment(w.ctx, w.upload(key), *inlineSegment(0, 0, "")), metainfo.ErrObjectKey)
	}
}

func TestUpdateMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.put("k", "content")
	wantErr(t, "update", w.UpdateMetadata(w.ctx, w.ref("k"), o.Stream, []byte("new")), nil)
	got, err := w.Object(w.ctx, w.ref("k"))
	if err != nil || string(got.Metadata) != "new" || got.Stream != o.Stream || !got.Created.Equal(o.Created) {
		t.Errorf("object: %+v, %v", got, err)
	}
	wantErr(t, "changed", w.UpdateMetadata(w.ctx, w.ref("k"), metainfo.StreamID{1}, nil), metainfo.ErrObjectChanged)
	wantErr(t, "absent", w.UpdateMetadata(w.ctx, w.ref("x"), o.Stream, nil), metainfo.ErrObjectNotFound)
	large := make([]byte, metainfo.MaxMetadataSize+1)
	wantErr(t, "large", w.UpdateMetadata(w.ctx, w.ref("k"), o.Stream, large), metainfo.ErrMetadataTooLarge)
}

func TestNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := netx.NodeID{1}, netx.NodeID{2}
	_, err := w.Node(w.ctx, a)
	wantErr(t, "unknown", err, metabase.ErrNode)
	_, err = w.Aliases(w.ctx, []netx.NodeID{a})
	wantErr(t, "unknown alias", err, metabase.ErrNode)
	_, err = w.NodeIDs(w.ctx, []metainfo.NodeAlias{1})
	wantErr(t, "unknown node", err, metabase.ErrNode)
	fault := errors.New("fault")
	_, err = w.PutNode(w.ctx, a, func(*metabase.Node, bool) error { return fault })
	wantErr(t, "refused", err, fault)
	for i, id := range []netx.NodeID{b, a, b} {
		n, err := w.PutNode(w.ctx, id, func(n *metabase.Node, joins bool) error {
			if joins != (i < 2) || joins != (n.Address == "") {
				t.Errorf("put %d: joins %v, %+v", i, joins, n)
			}
			n.Address, n.Free = fmt.Sprint("host:", i), int64(i)
			return nil
		})
		if err != nil || n.Alias == 0 || n.Joined.IsZero() {
			t.Errorf("put: %+v, %v", n, err)
		}
	}
	fresh, err := metabase.Open(w.ctx, w.Store()) // nothing in memory
	if err != nil {
		t.Fatal(err)
	}
	for _, db := range []*metabase.DB{w.DB, fresh, fresh} {
		aliases, err := db.Aliases(w.ctx, []netx.NodeID{a, b, a})
		if err != nil || len(aliases) != 3 || aliases[0] != aliases[2] || aliases[0] == aliases[1] {
			t.Fatalf("aliases: %v, %v", aliases, err)
		}
		ids, err := db.NodeIDs(w.ctx, aliases)
		if err != nil || ids[0] != a || ids[1] != b || ids[2] != a {
			t.Fatalf("nodes: %v, %v", ids, err)
		}
	}
	list, err := w.Nodes(w.ctx)
	if err != nil || len(list) != 2 || list[0].ID != a || list[1].Address != "host:2" || list[1].Free != 2 {
		t.Errorf("list: %+v, %v", list, err)
	}
	if c, err := w.Counts(w.ctx); err != nil || c.Nodes != 2 || c.Projects != 1 || c.Buckets != 1 {
		t.Errorf("counts: %+v, %v", c, err)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	change := func(n *metabase.Node, _ bool) error { return nil }
	redeem := func(token byte, node byte) error {
		_, err := w.RedeemToken(w.ctx, hash{token}, netx.NodeID{node}, change)
		return err
	}
	for _, token := range []metabase.JoinToken{
		{Hash: hash{1}, UsesLeft: 2, Expires: time.Now().Add(time.Hour), Note: "for two"},
		{Hash: hash{2}, UsesLeft: 1, Expires: time.Now().Add(-time.Second)},
		{Hash: hash{3}, UsesLeft: 1},
	} {
		wantErr(t, "create", w.CreateToken(w.ctx, token), nil)
	}
	wantErr(t, "no uses", w.CreateToken(w.ctx, metabase.JoinToken{}), metabase.ErrToken)
	wantErr(t, "unknown", redeem(9, 1), metabase.ErrToken)
	wantErr(t, "expired", redeem(2, 1), metabase.ErrToken)
	wantErr(t, "first", redeem(1, 1), nil)
	wantErr(t, "first again", redeem(1, 1), nil)
	wantErr(t, "second", redeem(1, 2), nil)
	wantErr(t, "third", redeem(1, 3), metabase.ErrToken)
	wantErr(t, "known node needs none", redeem(9, 2), nil)
	fault := errors.New("fault")
	_, err := w.RedeemToken(w.ctx, hash{3}, netx.NodeID{4}, func(*metabase.Node, bool) error { return fault })
	wantErr(t, "refused node takes no use", err, fault)
	wantErr(t, "never expires", redeem(3, 5), nil)
	list, err := w.Tokens(w.ctx)
	if err != nil || len(list) != 3 || list[0].UsesLeft != 0 || len(list[0].Admitted) != 2 || list[0].Note != "for two" {
		t.Errorf("list: %+v, %v", list, err)
	}
	wantErr(t, "delete", w.DeleteToken(w.ctx, hash{1}), nil)
	if list, err := w.Tokens(w.ctx); err != nil || len(list) != 2 {
		t.Errorf("list: %+v, %v", list, err)
	}
}
