package metabase

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"storj/metainfo/kv"
)

// totalOf is what one version adds to its bucket's total.
func totalOf(k objectKey, row *objectRow) BucketTotal {
	t := BucketTotal{
		Project: k.ref.Project, Bucket: k.ref.Bucket,
		Segments: int64(row.Segments), PlainSize: row.PlainSize, EncryptedSize: row.EncryptedSize,
	}
	if !row.Marker {
		t.Objects = 1
	}
	return t
}

// addPending adds the parts of uploads in parts to totals, which are in order of project and bucket.
func (db *DB) addPending(ctx context.Context, list []BucketTotal) ([]BucketTotal, error) {
	var sums []BucketTotal
	table := tables{}.pending()
	r := table.All()
	for more := true; more; {
		var page []BucketTotal
		var next []byte
		err := db.view(ctx, "add up uploads", func(tx kv.Tx) error {
			page, next, more = nil, nil, false
			rows := 0
			return table.Scan(tx, r, func(k pendingKey, _ *emptyRow) (bool, error) {
				if more = rows >= totalsPage; more {
					next = table.Key(nil, k)
					return false, nil
				}
				sum, err := sumUpload(tx, k)
				rows += 1 + int(sum.parts)
				if sum.parts == 0 {
					return true, err
				}
				page = addTotal(page, BucketTotal{
					k.ref.Project, k.ref.Bucket, 0, int64(sum.segments), sum.plainSize, sum.encryptedSize,
				})
				return true, err
			})
		})
		if err != nil {
			return nil, err
		}
		r.Start = next
		for _, t := range page {
			sums = addTotal(sums, t)
		}
	}
	for _, t := range sums {
		at, found := slices.BinarySearchFunc(list, t, func(a, b BucketTotal) int {
			return cmp.Or(bytes.Compare(a.Project[:], b.Project[:]), cmp.Compare(a.Bucket, b.Bucket))
		})
		if found {
			addTotal(list[at:at+1], t)
		} else {
			list = slices.Insert(list, at, t)
		}
	}
	return list, nil
}

func sumUpload(tx kv.Tx, k pendingKey) (sum partSum, err error) {
	table := tables{}.parts()
	err = table.Scan(tx, table.Prefix(k.stream[:]), func(p partKey, row *partRow) (bool, error) {
		sum.add(p.number, row)
		return true, nil
	})
	return sum, err
}
