package metabase

import (
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// ObjectRef names an object.
type ObjectRef struct {
	Project metainfo.ProjectID
	Bucket  string
	Key     []byte // encrypted
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
	expiryKey struct {
		nanos  uint64
		stream metainfo.StreamID
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

func (tables) parts() kv.Table[streamKey, partsRow, *partsRow] {
	return kv.NewTable[streamKey, partsRow]("m", streamCodec())
}

func (tables) uploads() kv.Table[streamKey, uploadRow, *uploadRow] {
	return kv.NewTable[streamKey, uploadRow]("u", streamCodec())
}

func (tables) dead() kv.Table[streamKey, emptyRow, *emptyRow] {
	return kv.NewTable[streamKey, emptyRow]("d", streamCodec())
}

func (tables) expiries() kv.Table[expiryKey, refRow, *refRow] {
	return kv.NewTable[expiryKey, refRow]("x", kv.KeyCodec[expiryKey]{
		Append: func(dst []byte, k expiryKey) []byte {
			return append(kv.AppendUint64(dst, k.nanos), k.stream[:]...)
		},
		Parse: func(b []byte) (k expiryKey, ok bool) {
			if k.nanos, b, ok = kv.CutUint64(b); !ok {
				return k, false
			}
			b, ok = kv.CutFixed(b, k.stream[:])
			return k, ok && len(b) == 0
		},
	})
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
			if len(b) != 4 {
				return 0, false
			}
			return metainfo.NodeAlias(uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])), true
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
	if b, ok = kv.CutFixed(b, k.ref.Project[:]); !ok {
		return k, false
	}
	bucket, b, ok := kv.CutText(b)
	if !ok {
		return k, false
	}
	key, b, ok := kv.CutText(b)
	if !ok {
		return k, false
	}
	inverted, b, ok := kv.CutUint64(b)
	k.ref.Bucket = string(bucket)
	k.ref.Key = append([]byte(nil), key...) // the stored key dies with the transaction
	k.version = ^inverted
	return k, ok && len(b) == 0
}
