package metabase

import (
	"bytes"
	"encoding/binary"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// ObjectRef names an object.
type ObjectRef struct {
	Project metainfo.ProjectID
	Bucket  string
	Key     []byte // encrypted
	// Version is LatestVersion, NullVersion or a version, as of metainfo.ObjectRequest. Where an object is made, and in
	// rows, it is not looked at.
	Version uint64
}

type (
	hash    [32]byte // of a key's head, a token, a tail
	nameKey struct {
		project metainfo.ProjectID
		name    string
	}
	objectKey struct {
		ref     ObjectRef
		version uint64
	}
	segmentKey struct {
		stream   metainfo.StreamID
		position metainfo.Position
	}
	// timedKey is a stream at an instant, in Unix nanoseconds.
	timedKey struct {
		nanos  uint64
		stream metainfo.StreamID
	}
	partKey struct {
		stream metainfo.StreamID // of the object or the upload
		number uint32
	}
	pendingKey struct {
		ref    ObjectRef
		stream metainfo.StreamID
	}
	endedKey struct {
		period uint32 // of the end, as of periodOf
		stream metainfo.StreamID
	}
	documentKey struct {
		project metainfo.ProjectID
		bucket  string
		name    string
	}
	streamKey = metainfo.StreamID
)

// tables is every table. It has no state: a value is made where it is needed, for the compiler to dissolve.
type tables struct{}

func (tables) projects() kv.Table[metainfo.ProjectID, projectRow, *projectRow] {
	return kv.NewTable[metainfo.ProjectID, projectRow]("p", kv.KeyCodec[metainfo.ProjectID]{
		Append: func(dst []byte, k metainfo.ProjectID) []byte { return append(dst, k[:]...) },
		Parse: func(b []byte) (k metainfo.ProjectID, ok bool) {
			return k, copy(k[:], b) == len(k) && len(b) == len(k)
		},
	})
}

func (tables) projectNames() kv.Table[string, idRow, *idRow] {
	return kv.NewTable[string, idRow]("P", kv.KeyCodec[string]{
		Append: kv.AppendText[string],
		Parse: func(b []byte) (string, bool) {
			name, rest, ok := kv.CutText(b)
			return string(name), ok && len(rest) == 0
		},
	})
}

func (tables) keys() kv.Table[hash, keyRow, *keyRow] {
	return kv.NewTable[hash, keyRow]("k", hashCodec())
}

func (tables) keyNames() kv.Table[nameKey, hashRow, *hashRow] {
	return kv.NewTable[nameKey, hashRow]("K", nameCodec())
}

func (tables) buckets() kv.Table[nameKey, bucketRow, *bucketRow] {
	return kv.NewTable[nameKey, bucketRow]("b", nameCodec())
}

func (tables) objects() kv.Table[objectKey, objectRow, *objectRow] {
	return kv.NewTable[objectKey, objectRow]("o", kv.KeyCodec[objectKey]{Append: appendObjectKey, Parse: parseObjectKey})
}

func (tables) segments() kv.Table[segmentKey, segmentRow, *segmentRow] {
	return kv.NewTable[segmentKey, segmentRow]("s", kv.KeyCodec[segmentKey]{
		Append: func(dst []byte, k segmentKey) []byte {
			return kv.AppendUint64(append(dst, k.stream[:]...), k.position.Uint64())
		},
		Parse: func(b []byte) (k segmentKey, ok bool) {
			if b, ok = kv.CutFixed(b, k.stream[:]); !ok {
				return k, false
			}
			position, rest, ok := kv.CutUint64(b)
			k.position = metainfo.PositionFromUint64(position)
			return k, ok && len(rest) == 0
		},
	})
}

func (tables) parts() kv.Table[partKey, partRow, *partRow] {
	return kv.NewTable[partKey, partRow]("m", kv.KeyCodec[partKey]{
		Append: func(dst []byte, k partKey) []byte { return kv.AppendUint32(append(dst, k.stream[:]...), k.number) },
		Parse: func(b []byte) (k partKey, ok bool) {
			if b, ok = kv.CutFixed(b, k.stream[:]); !ok {
				return k, false
			}
			k.number, ok = parseUint32(b)
			return k, ok
		},
	})
}

func (tables) partIndex() kv.Table[streamKey, partIndexRow, *partIndexRow] {
	return kv.NewTable[streamKey, partIndexRow]("i", streamCodec())
}

func (tables) pending() kv.Table[pendingKey, emptyRow, *emptyRow] {
	return kv.NewTable[pendingKey, emptyRow]("U", kv.KeyCodec[pendingKey]{
		Append: func(dst []byte, k pendingKey) []byte {
			dst = appendBucketPrefix(dst, k.ref.Project, k.ref.Bucket)
			return append(kv.AppendText(dst, k.ref.Key), k.stream[:]...)
		},
		Parse: func(b []byte) (k pendingKey, ok bool) {
			if k.ref, b, ok = cutRef(b); !ok {
				return k, false
			}
			b, ok = kv.CutFixed(b, k.stream[:])
			return k, ok && len(b) == 0
		},
	})
}

func (tables) ended() kv.Table[endedKey, emptyRow, *emptyRow] {
	return kv.NewTable[endedKey, emptyRow]("e", kv.KeyCodec[endedKey]{
		Append: func(dst []byte, k endedKey) []byte { return append(kv.AppendUint32(dst, k.period), k.stream[:]...) },
		Parse: func(b []byte) (k endedKey, ok bool) {
			if len(b) != 4+len(k.stream) {
				return k, false
			}
			k.period, _ = parseUint32(b[:4])
			copy(k.stream[:], b[4:])
			return k, true
		},
	})
}

func (tables) copies() kv.Table[timedKey, emptyRow, *emptyRow] {
	return kv.NewTable[timedKey, emptyRow]("y", timedCodec())
}

func (tables) documents() kv.Table[documentKey, documentRow, *documentRow] {
	return kv.NewTable[documentKey, documentRow]("B", kv.KeyCodec[documentKey]{
		Append: func(dst []byte, k documentKey) []byte {
			return kv.AppendText(appendBucketPrefix(dst, k.project, k.bucket), k.name)
		},
		Parse: func(b []byte) (k documentKey, ok bool) {
			ref, rest, ok := cutRef(b) // of the same form
			return documentKey{ref.Project, ref.Bucket, string(ref.Key)}, ok && len(rest) == 0
		},
	})
}

func (tables) lifecycles() kv.Table[nameKey, lifecycleRow, *lifecycleRow] {
	return kv.NewTable[nameKey, lifecycleRow]("l", nameCodec())
}

func (tables) deletions() kv.Table[metainfo.DeletionID, deletionRow, *deletionRow] {
	return kv.NewTable[metainfo.DeletionID, deletionRow]("j", kv.KeyCodec[metainfo.DeletionID]{
		Append: func(dst []byte, k metainfo.DeletionID) []byte { return append(dst, k[:]...) },
		Parse: func(b []byte) (k metainfo.DeletionID, ok bool) {
			return k, copy(k[:], b) == len(k) && len(b) == len(k)
		},
	})
}

func (tables) uploads() kv.Table[streamKey, uploadRow, *uploadRow] {
	return kv.NewTable[streamKey, uploadRow]("u", streamCodec())
}

func (tables) dead() kv.Table[streamKey, timeRow, *timeRow] {
	return kv.NewTable[streamKey, timeRow]("d", streamCodec())
}

func (tables) expiries() kv.Table[timedKey, refRow, *refRow] {
	return kv.NewTable[timedKey, refRow]("x", timedCodec())
}

func (tables) nodes() kv.Table[netx.NodeID, nodeRow, *nodeRow] {
	return kv.NewTable[netx.NodeID, nodeRow]("n", kv.KeyCodec[netx.NodeID]{
		Append: func(dst []byte, k netx.NodeID) []byte { return append(dst, k[:]...) },
		Parse: func(b []byte) (k netx.NodeID, ok bool) {
			return k, copy(k[:], b) == len(k) && len(b) == len(k)
		},
	})
}

func (tables) aliases() kv.Table[metainfo.NodeAlias, hashRow, *hashRow] {
	return kv.NewTable[metainfo.NodeAlias, hashRow]("a", kv.KeyCodec[metainfo.NodeAlias]{
		Append: func(dst []byte, k metainfo.NodeAlias) []byte { return kv.AppendUint32(dst, uint32(k)) },
		Parse: func(b []byte) (metainfo.NodeAlias, bool) {
			v, ok := parseUint32(b)
			return metainfo.NodeAlias(v), ok
		},
	})
}

func (tables) tokens() kv.Table[hash, tokenRow, *tokenRow] {
	return kv.NewTable[hash, tokenRow]("t", hashCodec())
}

func (tables) revocations() kv.Table[hash, timeRow, *timeRow] {
	return kv.NewTable[hash, timeRow]("r", hashCodec())
}

func (tables) counters() kv.Table[string, counterRow, *counterRow] {
	return kv.NewTable[string, counterRow]("c", kv.KeyCodec[string]{
		Append: func(dst []byte, k string) []byte { return append(dst, k...) },
		Parse:  func(b []byte) (string, bool) { return string(b), true },
	})
}

func hashCodec() kv.KeyCodec[hash] {
	return kv.KeyCodec[hash]{
		Append: func(dst []byte, k hash) []byte { return append(dst, k[:]...) },
		Parse:  func(b []byte) (k hash, ok bool) { return k, copy(k[:], b) == len(k) && len(b) == len(k) },
	}
}

func streamCodec() kv.KeyCodec[streamKey] {
	return kv.KeyCodec[streamKey]{
		Append: func(dst []byte, k streamKey) []byte { return append(dst, k[:]...) },
		Parse:  func(b []byte) (k streamKey, ok bool) { return k, copy(k[:], b) == len(k) && len(b) == len(k) },
	}
}

func timedCodec() kv.KeyCodec[timedKey] {
	return kv.KeyCodec[timedKey]{
		Append: func(dst []byte, k timedKey) []byte {
			return append(kv.AppendUint64(dst, k.nanos), k.stream[:]...)
		},
		Parse: func(b []byte) (k timedKey, ok bool) {
			if k.nanos, b, ok = kv.CutUint64(b); !ok {
				return k, false
			}
			b, ok = kv.CutFixed(b, k.stream[:])
			return k, ok && len(b) == 0
		},
	}
}

// nanosOf is an instant as it stands in a timedKey.
func nanosOf(at time.Time) uint64 { return uint64(max(at.UnixNano(), 0)) }

func parseUint32(b []byte) (uint32, bool) {
	if len(b) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}

func nameCodec() kv.KeyCodec[nameKey] {
	return kv.KeyCodec[nameKey]{
		Append: func(dst []byte, k nameKey) []byte { return kv.AppendText(append(dst, k.project[:]...), k.name) },
		Parse: func(b []byte) (k nameKey, ok bool) {
			if b, ok = kv.CutFixed(b, k.project[:]); !ok {
				return k, false
			}
			name, rest, ok := kv.CutText(b)
			k.name = string(name)
			return k, ok && len(rest) == 0
		},
	}
}

// appendBucketPrefix appends what the keys of all objects of a bucket begin with, after the table's letter.
func appendBucketPrefix(dst []byte, project metainfo.ProjectID, bucket string) []byte {
	return kv.AppendText(append(dst, project[:]...), bucket)
}

func appendObjectKey(dst []byte, k objectKey) []byte {
	dst = appendBucketPrefix(dst, k.ref.Project, k.ref.Bucket)
	return kv.AppendUint64(kv.AppendText(dst, k.ref.Key), ^k.version)
}

func parseObjectKey(b []byte) (k objectKey, ok bool) {
	if k.ref, b, ok = cutRef(b); !ok {
		return k, false
	}
	inverted, b, ok := kv.CutUint64(b)
	k.version = ^inverted
	return k, ok && len(b) == 0
}

// cutRef takes the names of an object off the front of a key. They are copies: the stored key dies with the transaction.
func cutRef(b []byte) (ref ObjectRef, rest []byte, ok bool) {
	if b, ok = kv.CutFixed(b, ref.Project[:]); !ok {
		return ref, nil, false
	}
	bucket, b, ok := kv.CutText(b)
	if !ok {
		return ref, nil, false
	}
	key, b, ok := kv.CutText(b)
	ref.Bucket = string(bucket)
	ref.Key = bytes.Clone(key)
	return ref, b, ok
}
