package uplink

import (
	"errors"
	"testing"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/metainfo"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	tests := []struct {
		opts           DownloadOptions
		size           int64
		offset, length int64
	}{
		{DownloadOptions{}, 0, 0, 0},
		{DownloadOptions{}, 100, 0, 100},
		{DownloadOptions{Length: -1}, 100, 0, 100},
		{DownloadOptions{Length: 10}, 100, 0, 10},
		{DownloadOptions{Length: 1000}, 100, 0, 100},
		{DownloadOptions{Offset: 99}, 100, 99, 1},
		{DownloadOptions{Offset: 60, Length: 60}, 100, 60, 40},
		{DownloadOptions{Offset: -1}, 100, 99, 1},
		{DownloadOptions{Offset: -100}, 100, 0, 100},
		{DownloadOptions{Offset: -101}, 100, 0, 100},
		{DownloadOptions{Offset: -30, Length: 10}, 100, 70, 10},
		{DownloadOptions{Offset: 1<<63 - 1, Length: 1<<63 - 1}, 100, 100, 0},
		{DownloadOptions{Offset: -1 << 63}, 100, 0, 100},
	}
	for _, test := range tests {
		offset, length := resolve(test.opts, test.size)
		if offset != test.offset || length != test.length {
			t.Errorf("%+v of %d: got %d+%d, want %d+%d", test.opts, test.size, offset, length, test.offset, test.length)
		}
	}
}

// TestCheckSegment holds that a satellite cannot pass one part of an object off as another.
func TestCheckSegment(t *testing.T) {
	t.Parallel()
	const segmentSize, last = 1000, 400
	sealed := &seal{segments: 3, plainSize: 2*segmentSize + last, segmentSize: segmentSize}
	m, err := newLayout(sealed, []partRun{{0, 1, sealed.plainSize}})
	if err != nil {
		t.Fatal(err)
	}
	redundancy := ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 2, Repair: 3, Optimal: 4, Total: 4, ShareSize: 512}
	good := func(index uint32, size int64) metainfo.DownloadSegment {
		return metainfo.DownloadSegment{
			Position: metainfo.Position{Index: index}, PlainOffset: int64(index) * segmentSize, PlainSize: size,
			EncryptedSize: cipher.EncryptedSize(size), Redundancy: redundancy,
		}
	}
	tests := []struct {
		name   string
		change func(*metainfo.DownloadSegment)
		index  uint32
		size   int64
		valid  bool
	}{
		{"first", nil, 0, segmentSize, true},
		{"last", nil, 2, last, true},
		{"behind the last", nil, 3, last, false},
		{"shorter", nil, 1, last, false},
		{"longer", nil, 2, segmentSize, false},
		{"elsewhere", func(s *metainfo.DownloadSegment) { s.PlainOffset = 0 }, 1, segmentSize, false},
		{"of a part", func(s *metainfo.DownloadSegment) { s.Position.Part = 1 }, 0, segmentSize, false},
		{"sizes disagree", func(s *metainfo.DownloadSegment) { s.EncryptedSize++ }, 0, segmentSize, false},
		{"no share size", func(s *metainfo.DownloadSegment) { s.Redundancy.ShareSize = 0 }, 0, segmentSize, false},
		{"bad scheme", func(s *metainfo.DownloadSegment) { s.Redundancy.Total = 1 }, 0, segmentSize, false},
		{"inline", func(s *metainfo.DownloadSegment) {
			s.Redundancy, s.Inline = ecenc.Redundancy{}, make([]byte, s.EncryptedSize)
		}, 2, last, true},
		{"inline cut", func(s *metainfo.DownloadSegment) {
			s.Redundancy, s.Inline = ecenc.Redundancy{}, make([]byte, s.EncryptedSize-1)
		}, 2, last, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			seg := good(test.index, test.size)
			if test.change != nil {
				test.change(&seg)
			}
			err := m.check(&seg)
			if test.valid != (err == nil) || err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v, want valid %t", err, test.valid)
			}
		})
	}
}
