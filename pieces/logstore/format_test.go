package logstore

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"storj/netx"
	"storj/pieces"
)

func exampleRecord() (mark syncMark, record []byte) {
	var id storeID
	for i := range id {
		id[i] = byte(i)
	}
	mark = syncOf(id, 1)
	h := header{
		kind: kindPiece, size: 5, created: 1_700_000_000,
		satellite: netx.NodeID(bytes.Repeat([]byte{0xaa}, 32)), piece: pieces.PieceID(bytes.Repeat([]byte{0xbb}, 32)),
	}
	r := request{hdr: h, buf: append(make([]byte, headerSize, 200), "hello"...), proof: []byte("ok")}
	r.sums = blockSums([]byte("hello"))
	return mark, r.encode(mark)
}

// TestDocExample holds the hex in the package comment against the code, both ways.
func TestDocExample(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(doc), "\"ok\":\n//\n")
	block, _, _ := strings.Cut(after, "\n//\n")
	text := strings.NewReplacer("//", "", "\t", "", "\n", "", " ", "").Replace(block)
	documented, err := hex.DecodeString(text)
	mark, made := exampleRecord()
	if err != nil || !bytes.Equal(documented, made) {
		t.Fatalf("package comment differs from (%v)\n%s", err, hexLines(made))
	}
	s := &scanner{file: memFile(documented), mark: mark, end: int64(len(documented)), verify: true}
	r, err := s.next()
	if err != nil || r.proof != 2 || r.hdr.size != 5 || r.hdr.created != 1_700_000_000 || r.length != int64(len(made)) {
		t.Fatalf("parsed %+v, %v", r, err)
	}
}

func hexLines(p []byte) string {
	var b strings.Builder
	for len(p) > 0 {
		n := min(len(p), 32)
		b.WriteString("//\t" + hex.EncodeToString(p[:n]) + "\n")
		p = p[n:]
	}
	return b.String()
}

// memFile is a log in memory for the scanner.
type memFile []byte

func (m memFile) ReadAt(p []byte, off int64) (int, error)  { return bytes.NewReader(m).ReadAt(p, off) }
func (m memFile) WriteAt(p []byte, off int64) (int, error) { panic("read only") }
func (m memFile) Close() error                             { return nil }
func (m memFile) Sync() error                              { return nil }
func (m memFile) Writeback(int64, int64)                   {}
func (m memFile) Truncate(int64) error                     { panic("read only") }

// FuzzScan reads arbitrary logs: no panic, no endless loop, no record outside the file, and every record that is found
// is encoded as it was read.
func FuzzScan(f *testing.F) {
	mark, record := exampleRecord()
	h := header{kind: kindDelete, size: itemSize, created: 5}
	mutation := request{hdr: h, buf: appendItems(make([]byte, headerSize), []item{{at: location{1, 2}}})}
	mutation.sums = blockSums(mutation.buf[headerSize:])
	two := append(bytes.Clone(record), mutation.encode(mark)...)
	f.Add([]byte{})
	f.Add(record)
	f.Add(two)
	f.Add(two[:len(two)-1])
	f.Add(append([]byte("noise"), two...))
	f.Add(append(append(bytes.Clone(record[:40]), 0xff), two...))
	f.Fuzz(func(t *testing.T, log []byte) {
		s := &scanner{file: memFile(log), mark: mark, end: int64(len(log)), verify: true}
		for last := int64(0); ; {
			r, err := s.next()
			if err != nil {
				break
			}
			if r.offset < last || r.length < minRecord || r.offset+r.length > int64(len(log)) {
				t.Fatalf("record %+v in a log of %d bytes", r, len(log))
			}
			last = r.offset + r.length
			if got := r.hdr.append(nil, mark); !bytes.Equal(got, log[r.offset:r.offset+headerSize]) {
				t.Fatalf("header %x became %x", log[r.offset:r.offset+headerSize], got)
			}
			if r.hdr.kind != kindPiece {
				body := log[r.offset+headerSize:][:r.hdr.size]
				if got := appendItems(nil, decodeItems(body)); !bytes.Equal(got, body) {
					t.Fatalf("items %x became %x", body, got)
				}
			}
		}
	})
}

func FuzzIndexValues(f *testing.F) {
	f.Add(entry{at: location{1, 2}, size: 3, proof: 4, created: 5, expires: 6, trashed: 7}.encode())
	f.Add(row{journal: true, day: 3, committed: 9, live: 4, trash: 5}.encode())
	f.Add(encodeUsage(pieces.Usage{Pieces: 1, Bytes: 2, TrashPieces: 3, TrashBytes: 4}))
	f.Fuzz(func(t *testing.T, p []byte) {
		if e, err := decodeEntry(p); err == nil && !bytes.Equal(e.encode(), p) {
			t.Fatalf("entry %x became %x", p, e.encode())
		}
		if r, err := decodeRow(p); err == nil && !bytes.Equal(r.encode(), p) {
			t.Fatalf("row %x became %x", p, r.encode())
		}
		if u, err := decodeUsage(p); err == nil && !bytes.Equal(encodeUsage(u), p) {
			t.Fatalf("usage %x became %x", p, encodeUsage(u))
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		class class
		num   uint32
	}{
		{"00000001.log", class{}, 1},
		{"ffffffff.journal", class{journal: true}, 1<<32 - 1},
		{"0000000a-20330518.log", class{day: 23148}, 10},
	}
	for _, test := range tests {
		l := &logFile{num: test.num, class: test.class}
		if got := l.name(); got != test.name {
			t.Errorf("name: got %q, want %q", got, test.name)
		}
		if back, ok := parseName(test.name); !ok || back.num != test.num || back.class != test.class {
			t.Errorf("parse %q: %+v, %v", test.name, back, ok)
		}
	}
	for _, bad := range []string{"", "1.log", "00000001", "00000001.LOG", "0000000g.log", "00000001-2033.log",
		"00000001-20330518.journal", "00000001-19700101.log", "100000001.log", "00000001.log.tmp"} {
		if _, ok := parseName(bad); ok {
			t.Errorf("parse %q: it is no log", bad)
		}
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	at := time.Unix(100, 500)
	if toSeconds(at) != 100 || toSecondsUp(at) != 101 || toSecondsUp(time.Unix(100, 0)) != 100 {
		t.Error("rounding is wrong")
	}
	if toSeconds(time.Time{}) != 0 || !fromSeconds(0).IsZero() || toSecondsUp(time.Time{}) != 0 {
		t.Error("the zero time is not kept")
	}
	if toSeconds(time.Unix(-5, 0)) != 1 || toSeconds(time.Unix(1<<40, 0)) != 1<<32-1 {
		t.Error("times out of range are not clamped")
	}
}
