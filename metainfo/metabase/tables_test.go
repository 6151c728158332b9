package metabase

import (
	"fmt"
	"testing"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/memkv"
)

// rowsDB is a DB with a bucket, whose object rows are written as they are given.
func rowsDB(t *testing.T, rows map[objectRowKey]objectRow) (*DB, metainfo.ProjectID) {
	t.Helper()
	db, err := Open(t.Context(), memkv.New(memkv.Options{RunTwice: true}))
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
	err = db.store.Update(t.Context(), func(tx kv.Tx) error {
		for k, row := range rows {
			ref := ObjectRef{Project: p.ID, Bucket: "bucket", Key: []byte(k.key)}
			if err := (tables{}).objects().Put(tx, objectKey{ref, k.version}, &row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, p.ID
}

type objectRowKey struct {
	key     string
	version uint64
}

// TestVersionsInOrder has several rows of one key, as versioning will: the newest is the object.
func TestVersionsInOrder(t *testing.T) {
	t.Parallel()
	rows := map[objectRowKey]objectRow{}
	for version := uint64(1); version < 300; version++ {
		rows[objectRowKey{"a", version}] = objectRow{Object: metainfo.Object{PlainSize: int64(version)}}
	}
	rows[objectRowKey{"a\x00", 7}] = objectRow{Object: metainfo.Object{PlainSize: 7}}
	rows[objectRowKey{"b", 1}] = objectRow{Object: metainfo.Object{PlainSize: 1}}
	db, project := rowsDB(t, rows)
	o, err := db.Object(t.Context(), ObjectRef{Project: project, Bucket: "bucket", Key: []byte("a")})
	if err != nil || o.Version != 299 || o.PlainSize != 299 {
		t.Errorf("object: %+v, %v", o, err)
	}
	for _, limit := range []int{1, 3} {
		var got []string
		for cursor, more := []byte(nil), true; more; {
			page, err := db.ListObjects(t.Context(), ListObjects{Project: project, Bucket: "bucket", Cursor: cursor, Limit: limit})
			if err != nil || len(page.Items) == 0 {
				t.Fatalf("page of %d, %v", len(page.Items), err)
			}
			for _, item := range page.Items {
				got = append(got, fmt.Sprintf("%q %d", item.Object.Key, item.Object.Version))
				cursor = item.Object.Key
			}
			more = page.More
		}
		if want := `["a" 299 "a\x00" 7 "b" 1]`; fmt.Sprint(got) != want {
			t.Errorf("limit %d: %v, want %s", limit, got, want)
		}
	}
}

// TestTotalsPages has more objects than one transaction of BucketTotals reads.
func TestTotalsPages(t *testing.T) {
	t.Parallel()
	rows := map[objectRowKey]objectRow{}
	const objects = 2*totalsPage + 5
	for i := range objects {
		rows[objectRowKey{fmt.Sprint(i), 1}] = objectRow{Object: metainfo.Object{Segments: 2, PlainSize: 3, EncryptedSize: 5}}
	}
	db, project := rowsDB(t, rows)
	got, err := db.BucketTotals(t.Context())
	want := BucketTotal{project, "bucket", objects, 2 * objects, 3 * objects, 5 * objects}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
