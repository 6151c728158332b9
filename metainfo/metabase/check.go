package metabase

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		c = checker{tx: tx, owners: map[metainfo.StreamID]owner{}}
		for _, step := range []func() error{
			c.objects, c.uploads, c.pending, c.parts, c.expiries, c.segments, c.settings, c.nodes,
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, errors.Join(c.faults...))
}

// owner says what a stream belongs to.
type owner uint8

const (
	ownNothing owner = iota
	ownObject
	ownParts // object in parts
	ownUpload
	ownUploadInParts
	ownDead
	ownPart
)

func (o owner) String() string {
	return [...]string{"nothing", "object", "object in parts", "upload", "upload in parts", "dead", "part"}[o]
}

type checker struct {
	tx     kv.Tx
	owners map[metainfo.StreamID]owner
	faults []error
}

func (c *checker) fault(format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Errorf("%w: "+format, append([]any{kv.ErrCorrupt}, args...)...))
	}
}

func (c *checker) own(stream metainfo.StreamID, kind owner) {
	if other := c.owners[stream]; other != ownNothing {
		c.fault("stream %s belongs to %s and %s", stream, other, kind)
	}
	c.owners[stream] = kind
}

func (c *checker) objects() error {
	table := tables{}.objects()
	keys := keyChecker{checker: c}
	return table.Scan(c.tx, table.All(), func(k objectKey, row *objectRow) (bool, error) {
		row.Version = k.version
		if err := keys.version(&k, row); err != nil || row.Marker {
			return true, err
		}
		kind := ownObject
		if row.Parts > 0 {
			kind = ownParts
		}
		c.own(row.Stream, kind)
		if err := c.object(row); err != nil || row.Expires.IsZero() {
			return true, err
		}
		ref, err := tables{}.expiries().Get(c.tx, expiryOf(row))
		if ref.Version != k.version || !sameObject(ref.ObjectRef, k.ref) {
			c.fault("object of stream %s has no expiry row", row.Stream)
		}
		return true, orElse(err, nil)
	})
}

// keyChecker checks the versions of one key against each other. They come newest first.
type keyChecker struct {
	*checker
	ref   ObjectRef
	null  uint64 // number of the null version, 0 before it is seen
	hints []uint64
}

func (c *keyChecker) version(k *objectKey, row *objectRow) error {
	if !sameObject(c.ref, k.ref) {
		if c.ref.Bucket != k.ref.Bucket || c.ref.Project != k.ref.Project {
			if err := checkBucket(c.tx, k.ref.Project, k.ref.Bucket); err != nil {
				c.fault("object of stream %s: %w", row.Stream, err)
			}
		}
		*c = keyChecker{checker: c.checker, ref: k.ref}
	}
	if !row.Null {
		c.hints = append(c.hints, row.nullBelow)
		return nil
	}
	if c.null != 0 {
		c.fault("object of stream %s is a second null version", row.Stream)
	}
	c.null = k.version
	for _, hint := range c.hints {
		if hint != k.version {
			c.fault("a version above that of stream %s does not know the null version below it", row.Stream)
		}
	}
	return nil
}

// object checks the sizes of a record against its segments or parts.
func (c *checker) object(row *objectRow) error {
	var sum partSum
	if row.Parts == 0 {
		plain := streamSum{}
		if err := plain.scan(c.tx, row.Stream); err != nil {
			c.fault("object of stream %s: %w", row.Stream, err)
		}
		sum.segments, sum.plainSize, sum.encryptedSize = plain.segments, plain.plainSize, plain.encryptedSize
	} else {
		table := tables{}.parts()
		err := table.Scan(c.tx, table.Prefix(row.Stream[:]), func(k partKey, p *partRow) (bool, error) {
			sum.add(k.number, p)
			return true, nil
		})
		if err != nil {
			return err
		}
		index, err := partIndexOf(c.tx, row.Stream)
		if err != nil {
			return err
		}
		if len(sum.index.places) > 1 && !slices.Equal(sum.index.places, index.places) {
			c.fault("index of parts of stream %s does not match", row.Stream)
		}
	}
	if sum.parts != row.Parts || sum.segments != row.Segments || sum.plainSize != row.PlainSize ||
		sum.encryptedSize != row.EncryptedSize {
		c.fault("object of stream %s has %d parts, %d segments of %d bytes, its record says %d, %d of %d",
			row.Stream, sum.parts, sum.segments, sum.plainSize, row.Parts, row.Segments, row.PlainSize)
	}
	return nil
}

func (c *checker) uploads() error {
	table := tables{}.uploads()
	err := table.Scan(c.tx, table.All(), func(stream streamKey, row *uploadRow) (bool, error) {
		if row.kind != uploadInParts {
			c.own(stream, ownUpload)
			return true, nil
		}
		c.own(stream, ownUploadInParts)
		listed, err := tables{}.pending().Has(c.tx, pendingKey{row.ref.ObjectRef, stream})
		if !listed {
			c.fault("upload in parts of stream %s is not listed", stream)
		}
		return true, err
	})
	if err != nil {
		return err
	}
	dead := tables{}.dead()
	return dead.Scan(c.tx, dead.All(), func(stream streamKey, _ *timeRow) (bool, error) {
		c.own(stream, ownDead)
		return true, nil
	})
}

func (c *checker) pending() error {
	table := tables{}.pending()
	return table.Scan(c.tx, table.All(), func(k pendingKey, _ *emptyRow) (bool, error) {
		if c.owners[k.stream] != ownUploadInParts {
			c.fault("stream %s is listed as an upload in parts and is none", k.stream)
		}
		if err := checkBucket(c.tx, k.ref.Project, k.ref.Bucket); err != nil {
			c.fault("upload in parts of stream %s: %w", k.stream, err)
		}
		return true, nil
	})
}

func (c *checker) parts() error {
	table := tables{}.parts()
	err := table.Scan(c.tx, table.All(), func(k partKey, row *partRow) (bool, error) {
		switch c.owners[k.stream] {
		case ownNothing, ownObject, ownPart:
			c.fault("part %d of stream %s has no object", k.number, k.stream)
		}
		if row.stream != k.stream {
			c.own(row.stream, ownPart)
		}
		return true, c.part(k, row)
	})
	if err != nil {
		return err
	}
	index := tables{}.partIndex()
	return index.Scan(c.tx, index.All(), func(stream streamKey, _ *partIndexRow) (bool, error) {
		if kind := c.owners[stream]; kind != ownParts && kind != ownDead {
			c.fault("index of parts of stream %s has no object", stream)
		}
		return true, nil
	})
}

// part checks the sizes of a part against its segments, unless they are on their way.
func (c *checker) part(k partKey, row *partRow) error {
	if kind := c.owners[k.stream]; kind == ownDead || kind == ownUpload {
		return nil
	}
	var sum streamSum
	table := tables{}.segments()
	prefix := table.Prefix(kv.AppendUint32(append([]byte(nil), row.stream[:]...), k.number))
	err := table.Scan(c.tx, prefix, func(at segmentKey, s *segmentRow) (bool, error) {
		return true, sum.add(at.position, s)
	})
	if err != nil {
		c.fault("part %d of stream %s: %w", k.number, k.stream, err)
	}
	if sum.segments != row.segments || sum.plainSize != row.plainSize || sum.encryptedSize != row.encryptedSize {
		c.fault("part %d of stream %s has %d segments of %d bytes, its record says %d of %d",
			k.number, k.stream, sum.segments, sum.plainSize, row.segments, row.plainSize)
	}
	return nil
}

func (c *checker) expiries() error {
	table := tables{}.expiries()
	return table.Scan(c.tx, table.All(), func(k timedKey, ref *refRow) (bool, error) {
		row, err := getVersion(c.tx, &ref.ObjectRef, ref.Version)
		if err == nil && (row == nil || row.Stream != k.stream || expiryOf(row) != k) {
			c.fault("expiry row of stream %s has no object", k.stream)
		}
		return true, err
	})
}

// settings checks that what is kept with buckets has a bucket.
func (c *checker) settings() error {
	documents, rules := tables{}.documents(), tables{}.lifecycles()
	err := kv.Scan(c.tx, documents.All(), func(stored, _ []byte) (bool, error) {
		k, err := documents.ParseKey(stored)
		if err == nil {
			c.kept("document "+k.name, nameKey{k.project, k.bucket})
		}
		return true, err
	})
	if err != nil {
		return err
	}
	return kv.Scan(c.tx, rules.All(), func(stored, _ []byte) (bool, error) {
		k, err := rules.ParseKey(stored)
		if err == nil {
			c.kept("lifecycle", k)
		}
		return true, err
	})
}

func (c *checker) kept(what string, of nameKey) {
	if err := checkBucket(c.tx, of.project, of.name); err != nil {
		c.fault("%s of a bucket of project %s: %w", what, of.project, err)
	}
}

func (c *checker) segments() error {
	table := tables{}.segments()
	return table.Scan(c.tx, table.All(), func(k segmentKey, row *segmentRow) (bool, error) {
		if c.owners[k.stream] == ownNothing {
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
