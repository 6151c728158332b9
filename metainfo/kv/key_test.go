package kv_test

import (
	"bytes"
	"cmp"
	"testing"

	"storj/metainfo/kv"
)

func TestPrefixEnd(t *testing.T) {
	t.Parallel()
	tests := []struct{ prefix, want string }{
		{"a", "b"}, {"ab", "ac"}, {"a\xff", "b"}, {"a\xff\xff", "b"}, {"\x00", "\x01"}, {"\xff", ""}, {"", ""},
	}
	for _, test := range tests {
		if got := kv.PrefixEnd([]byte(test.prefix)); string(got) != test.want || (got == nil) != (test.want == "") {
			t.Errorf("%q: %q, want %q", test.prefix, got, test.want)
		}
	}
}

func TestCutTextMalformed(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "a", "a\x00", "a\x00\x02", "\x00", "a\x00\xff", "a\x00\xffb", "a\x00\xff\x00"} {
		if text, _, ok := kv.CutText([]byte(key)); ok {
			t.Errorf("%q was read as %q", key, text)
		}
	}
}

// FuzzText checks that keys of two parts come back and sort as their parts do.
func FuzzText(f *testing.F) {
	f.Add([]byte("a"), []byte("a\x00"), uint64(1), uint64(1<<63))
	f.Add([]byte(""), []byte("\x00"), uint64(0), uint64(0))
	f.Add([]byte("a\x00\xff"), []byte("a\x00\x01"), uint64(7), uint64(8))
	f.Add([]byte("a\x00b"), []byte("a\x00b"), uint64(9), uint64(8))
	f.Fuzz(func(t *testing.T, a, b []byte, m, n uint64) {
		first := kv.AppendUint64(kv.AppendText(nil, a), m)
		second := kv.AppendUint64(kv.AppendText(nil, b), n)
		text, rest, ok := kv.CutText(first)
		back, rest, ok2 := kv.CutUint64(rest)
		if !ok || !ok2 || !bytes.Equal(text, a) || back != m || len(rest) != 0 {
			t.Fatalf("%x %d came back as %x %d %v", a, m, text, back, ok)
		}
		want := cmp.Or(bytes.Compare(a, b), cmp.Compare(m, n))
		if got := bytes.Compare(first, second); got != want {
			t.Fatalf("%x %d against %x %d sorts %d, want %d", a, m, b, n, got, want)
		}
		if bytes.HasPrefix(a, b) != bytes.HasPrefix(first, kv.AppendTextPrefix(nil, b)) {
			t.Fatalf("prefix %x of %x is lost", b, a)
		}
	})
}

// FuzzCutText has any bytes read as a text part.
func FuzzCutText(f *testing.F) {
	f.Add([]byte("a\x00\x01rest"))
	f.Add([]byte("a\x00\xffb\x00\x01"))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, key []byte) {
		text, rest, ok := kv.CutText(key)
		if ok && !bytes.Equal(append(kv.AppendText(nil, text), rest...), key) {
			t.Fatalf("%x is not what it was read from: %x", key, text)
		}
	})
}
