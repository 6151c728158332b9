package metabase

import (
	"context"
	"errors"
	"fmt"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// maxFaults is how many faults Check reports.
const maxFaults = 20

// Check reads all objects, uploads and segments and returns an error for what contradicts the package comment, joined;
// nil if all is well. It is one snapshot and keeps 20 bytes for each stream: it is for a person who asks, not for a
// loop.
func (db *DB) Check(ctx context.Context) error {
	var c checker
	err := db.view(ctx, "check", func(tx kv.Tx) error {
		c = checker{tx: tx, owners: map[metainfo.StreamID]string{}}
		for _, step := range []func() error{c.objects, c.uploads, c.expiries, c.parts, c.segments, c.nodes} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, errors.Join(c.faults...))
}

type checker struct {
	tx     kv.Tx
	owners map[metainfo.StreamID]string // what a stream belongs to
	faults []error
}

func (c *checker) fault(format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Errorf("%w: "+format, append([]any{kv.ErrCorrupt}, args...)...))
	}
}

func (c *checker) own(stream metainfo.StreamID, kind string) {
	if other, ok := c.owners[stream]; ok {
		c.fault("stream %s belongs to %s and %s", stream, other, kind)
	}
	c.owners[stream] = kind
}

func (c *checker) objects() error {
	table := tables{}.objects()
	return table.Scan(c.tx, table.All(), func(k objectKey, row *objectRow) (bool, error) {
		c.own(row.Stream, "object")
		if err := checkBucket(c.tx, k.ref.Project, k.ref.Bucket); err != nil {
			c.fault("object of stream %s: %w", row.Stream, err)
		}
		var sum streamSum
		if err := sum.scan(c.tx, row.Stream); err != nil {
			c.fault("object of stream %s: %w", row.Stream, err)
		}
		if sum.segments != row.Segments || sum.plainSize != row.PlainSize || sum.encryptedSize != row.EncryptedSize {
			c.fault("object of stream %s has %d segments of %d bytes, its record says %d of %d",
				row.Stream, sum.segments, sum.plainSize, row.Segments, row.PlainSize)
		}
		parts, err := tables{}.parts().Has(c.tx, row.Stream)
		if parts != sum.numbered() {
			c.fault("object of stream %s: row of parts is there: %v", row.Stream, parts)
		}
		if err != nil || row.Expires.IsZero() {
			return true, err
		}
		listed, err := tables{}.expiries().Has(c.tx, expiryOf(row))
		if !listed {
			c.fault("object of stream %s has no expiry row", row.Stream)
		}
		return true, err
	})
}

func (c *checker) uploads() error {
	table := tables{}.uploads()
	err := table.Scan(c.tx, table.All(), func(stream streamKey, _ *uploadRow) (bool, error) {
		c.own(stream, "upload")
		return true, nil
	})
	if err != nil {
		return err
	}
	dead := tables{}.dead()
	return dead.Scan(c.tx, dead.All(), func(stream streamKey, _ *emptyRow) (bool, error) {
		if c.owners[stream] == "" { // an upload that goes on after it was aborted is swept: allowed
			c.owners[stream] = "dead"
		}
		return true, nil
	})
}

func (c *checker) expiries() error {
	table := tables{}.expiries()
	return table.Scan(c.tx, table.All(), func(k expiryKey, ref *refRow) (bool, error) {
		_, row, found, err := latest(c.tx, ref.ObjectRef)
		if err == nil && (!found || row.Stream != k.stream || expiryOf(&row) != k) {
			c.fault("expiry row of stream %s has no object", k.stream)
		}
		return true, err
	})
}

func (c *checker) parts() error {
	table := tables{}.parts()
	return table.Scan(c.tx, table.All(), func(stream streamKey, _ *partsRow) (bool, error) {
		if owner := c.owners[stream]; owner != "object" && owner != "dead" {
			c.fault("row of parts of stream %s has no object", stream)
		}
		return true, nil
	})
}

func (c *checker) segments() error {
	table := tables{}.segments()
	return table.Scan(c.tx, table.All(), func(k segmentKey, row *segmentRow) (bool, error) {
		if c.owners[k.stream] == "" {
			c.fault("segment %s of stream %s belongs to nothing", k.position, k.stream)
		}
		if _, err := row.segment(k); err != nil {
			c.fault("segment %s of stream %s: %w", k.position, k.stream, err)
		}
		return true, nil
	})
}

func (c *checker) nodes() error {
	table := tables{}.nodes()
	return table.Scan(c.tx, table.All(), func(id netx.NodeID, row *nodeRow) (bool, error) {
		back, err := tables{}.aliases().Get(c.tx, row.Alias)
		if err := orElse(err, nil); err != nil {
			return false, err
		}
		if back.hash != hash(id) {
			c.fault("alias %d of node %s is another's", row.Alias, id)
		}
		return true, nil
	})
}
