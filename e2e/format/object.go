package format

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Record is an object as satellite and nodes have it. Bytes are base64 in JSON.
type Record struct {
	Bucket     string    `json:"bucket"`
	PlainNames bool      `json:"plain_names,omitempty"` // of the bucket
	Key        []byte    `json:"encrypted_key"`
	WrappedKey []byte    `json:"wrapped_key"`
	Metadata   []byte    `json:"metadata"`
	Segments   []Segment `json:"segments"`
	Parts      []Part    `json:"parts,omitempty"` // of an object uploaded in parts, as the satellite lists them
}

// Part is a part of an object.
type Part struct {
	Number uint32 `json:"number"`
	Size   int64  `json:"size"`
}

// Segment is a record of a segment, with as many of its pieces as were fetched.
type Segment struct {
	Part          uint32         `json:"part"`
	Index         uint32         `json:"index"`
	PlainOffset   int64          `json:"plain_offset"` // in the object
	PlainSize     int64          `json:"plain_size"`
	EncryptedSize int64          `json:"encrypted_size"`
	Salt          []byte         `json:"salt"`
	Inline        []byte         `json:"inline,omitempty"`
	Required      int            `json:"required,omitempty"` // 0: inline
	Total         int            `json:"total,omitempty"`
	ShareSize     int            `json:"share_size,omitempty"`
	Pieces        map[int][]byte `json:"pieces,omitempty"` // by number
}

// Object is what a record opens to.
type Object struct {
	Key      string
	Metadata map[string]string
	Tags     map[string]string
	Content  []byte
}

// sealed is the metadata of an object. Section 8.
type sealed struct {
	segments    uint64
	plainSize   int64
	segmentSize int64
	custom      map[string]string
	tags        map[string]string
	parts       []Part // nil: one part, of number 0
	partsHash   []byte // instead of parts, when there are too many different ones
}

// Open decrypts an object.
func (g *Grant) Open(r *Record) (*Object, error) {
	path, pathKey, err := g.locate(r.Bucket, r.Key, r.PlainNames)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	content, err := OpenBox(derive(pathKey, "content"), "content-key/v1", r.WrappedKey)
	if err != nil {
		return nil, fmt.Errorf("content key: %w", err)
	}
	raw, err := OpenBox(content, "object-metadata/v1", r.Metadata)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	s, err := parseSealed(raw)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if err := s.check(r); err != nil {
		return nil, err
	}
	object := &Object{Key: path, Metadata: s.custom, Tags: s.tags}
	for i := range r.Segments {
		plain, err := r.Segments[i].open(content)
		if err != nil {
			return nil, fmt.Errorf("segment %d: %w", i, err)
		}
		object.Content = append(object.Content, plain...)
	}
	return object, nil
}

func parseSealed(raw []byte) (*sealed, error) {
	fields, err := parse(raw)
	if err != nil {
		return nil, err
	}
	s := &sealed{custom: map[string]string{}, tags: map[string]string{}}
	for _, f := range fields {
		switch f.num {
		case 1:
			s.segments = f.value
		case 2:
			s.plainSize = zigzag(f.value)
		case 3:
			s.segmentSize = zigzag(f.value)
		case 4:
			err = addEntry(s.custom, f.bytes)
		case 5:
			err = addEntry(s.tags, f.bytes)
		case 6:
			err = s.addRun(f.bytes)
		case 7:
			s.partsHash = f.bytes
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func addEntry(to map[string]string, raw []byte) error {
	fields, err := parse(raw)
	if err != nil {
		return err
	}
	var key, value string
	for _, f := range fields {
		switch f.num {
		case 1:
			key = string(f.bytes)
		case 2:
			value = string(f.bytes)
		}
	}
	to[key] = value
	return nil
}

// addRun reads a run of parts that follow each other in number and have one size.
func (s *sealed) addRun(raw []byte) error {
	fields, err := parse(raw)
	if err != nil {
		return err
	}
	var first, count, size uint64
	for _, f := range fields {
		switch f.num {
		case 1:
			first = f.value
		case 2:
			count = f.value
		case 3:
			size = f.value
		}
	}
	if first == 0 || count == 0 || first+count > 10001 {
		return errors.New("run of parts out of range")
	}
	for i := range count {
		s.parts = append(s.parts, Part{uint32(first + i), zigzag(size)})
	}
	return nil
}

// check compares the satellite's list of segments with what was sealed. Section 8.
func (s *sealed) check(r *Record) error {
	parts := s.parts
	switch {
	case s.partsHash != nil:
		parts = r.Parts
		if hash := hashParts(parts); string(hash) != string(s.partsHash) {
			return errors.New("parts are not those that were sealed")
		}
	case parts == nil:
		parts = []Part{{0, s.plainSize}}
	}
	segments := slices.DeleteFunc(slices.Clone(r.Segments), func(seg Segment) bool { return seg.PlainSize == 0 })
	next, count, offset := 0, uint64(0), int64(0)
	for _, p := range parts {
		for index, left := uint32(0), p.Size; index == 0 || left > 0; index++ {
			size := min(left, s.segmentSize)
			count++
			if size == 0 {
				break // of an empty part: it may be listed or not
			}
			if next == len(segments) {
				return errors.New("segments are missing")
			}
			seg := segments[next]
			if seg.Part != p.Number || seg.Index != index || seg.PlainSize != size || seg.PlainOffset != offset {
				return fmt.Errorf("segment %d is not the one that was sealed", next)
			}
			next, offset, left = next+1, offset+size, left-size
		}
	}
	if next != len(segments) || count != s.segments || offset != s.plainSize {
		return errors.New("the satellite's segments are not those that were sealed")
	}
	return nil
}

func hashParts(parts []Part) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint32(nil, p.Number))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(p.Size)))
	}
	return h.Sum(nil)
}

// open returns the plaintext of a segment. Section 9.
func (s *Segment) open(content []byte) ([]byte, error) {
	data := s.Inline
	if s.Required > 0 {
		var err error
		if data, err = s.join(); err != nil {
			return nil, err
		}
	}
	if int64(len(data)) != s.EncryptedSize {
		return nil, fmt.Errorf("%d bytes of ciphertext, not %d", len(data), s.EncryptedSize)
	}
	key, err := SegmentKey(content, s.Salt, s.Part, s.Index)
	if err != nil {
		return nil, err
	}
	plain, err := OpenSegment(key, data)
	if err == nil && int64(len(plain)) != s.PlainSize {
		err = fmt.Errorf("%d bytes of plaintext, not %d", len(plain), s.PlainSize)
	}
	return plain, err
}

// SegmentKey derives the key of a segment.
func SegmentKey(content, salt []byte, part, index uint32) ([]byte, error) {
	info := binary.BigEndian.AppendUint32([]byte("storj/segment/v1"), part)
	info = binary.BigEndian.AppendUint32(info, index)
	return hkdf.Key(sha256.New, content, salt, string(info), 32)
}

// OpenSegment opens the blocks of a segment.
func OpenSegment(key, data []byte) (plain []byte, err error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	for index := uint64(0); ; index++ {
		block := data[:min(len(data), 32768)]
		data = data[len(block):]
		nonce := binary.BigEndian.AppendUint64(make([]byte, 4), index)
		if len(data) == 0 {
			nonce[3] = 1
		}
		if plain, err = aead.Open(plain, nonce, block, nil); err != nil {
			return nil, fmt.Errorf("block %d: %w", index, errOpen)
		}
		if len(data) == 0 {
			return plain, nil
		}
	}
}
