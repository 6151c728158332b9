package syncer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func listOf(entries ...Entry) Listing {
	return func(yield func(Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// actions tells what Diff would do, in short: +new ~changed -deleted !failed.
func actions(t *testing.T, source, dest Listing, opts Options) (string, Stats) {
	t.Helper()
	var out []string
	stats, err := Diff(source, dest, opts, func(a Action) error {
		mark := map[Verb]string{Copy: "~", Delete: "-", Fail: "!"}[a.Verb]
		if a.Reason == "new" {
			mark = "+"
		}
		out = append(out, mark+a.Key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " "), stats
}

func TestDiff(t *testing.T) {
	t.Parallel()
	a := Entry{Key: "a", Size: 1, Modified: 100}
	b := Entry{Key: "b", Size: 1, Modified: 100}
	c := Entry{Key: "c", Size: 1, Modified: 100}
	later := Entry{Key: "b", Size: 1, Modified: 5000}
	larger := Entry{Key: "b", Size: 2, Modified: 100}
	unread := errors.New("unread")
	for _, test := range []struct {
		name         string
		source, dest Listing
		opts         Options
		want         string
	}{
		{"nothing", listOf(), listOf(), Options{Delete: true}, ""},
		{"first run", listOf(a, b), listOf(), Options{}, "+a +b"},
		{"second run", listOf(a, b), listOf(a, b), Options{Delete: true}, ""},
		{"kept", listOf(b), listOf(a, b, c), Options{}, ""},
		{"deleted", listOf(b), listOf(a, b, c), Options{Delete: true}, "-a -c"},
		{"all deleted", listOf(), listOf(a, b), Options{Delete: true}, "-a -b"},
		{"later", listOf(a, later), listOf(a, b), Options{}, "~b"},
		{"earlier", listOf(b), listOf(later), Options{}, "~b"},
		{"in the window", listOf(later), listOf(b), Options{Window: 5 * time.Microsecond}, ""},
		{"larger", listOf(larger), listOf(b), Options{SizeOnly: true}, "~b"},
		{"size only", listOf(later), listOf(b), Options{SizeOnly: true}, ""},
		{"left out", listOf(a, b), listOf(b, c), Options{Delete: true, Takes: func(key string) bool { return key == "a" }}, "+a"},
		{"stored after", listOf(b), listOf(Entry{Key: "b", Size: 1, Created: 200}), Options{}, ""},
		{"stored before", listOf(b), listOf(Entry{Key: "b", Size: 1, Created: 50}), Options{}, "~b"},
		{"folder not read", listOf(a, Entry{Key: "d/", Err: unread}, Entry{Key: "e"}),
			listOf(a, Entry{Key: "d/x"}, Entry{Key: "d/y/z"}, Entry{Key: "e"}, Entry{Key: "f"}), Options{Delete: true}, "!d/ -f"},
		{"folder read in part, one in it not",
			listOf(Entry{Key: "d/", Err: unread}, Entry{Key: "d/a/", Err: unread}, Entry{Key: "e"}),
			listOf(Entry{Key: "d/a/x"}, Entry{Key: "d/b"}, Entry{Key: "e"}), Options{Delete: true}, "!d/ !d/a/"},
		{"nothing read", listOf(Entry{Err: unread}), listOf(a, b), Options{Delete: true}, "!"},
		{"file not read", listOf(Entry{Key: "b", Err: unread}, c), listOf(a, c), Options{Delete: true}, "-a !b"},
	} {
		if got, _ := actions(t, test.source, test.dest, test.opts); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDiffFileNotRead(t *testing.T) {
	t.Parallel()
	unread := Entry{Key: "b", Err: errors.New("unread")}
	got, _ := actions(t, listOf(unread), listOf(Entry{Key: "b"}), Options{Delete: true})
	if got != "!b" {
		t.Errorf("what cannot be read is not deleted where it was copied to: %q", got)
	}
}

func TestDiffHash(t *testing.T) {
	t.Parallel()
	file := Entry{Key: "a", Size: 1, Modified: 100}
	object := Entry{Key: "a", Size: 1, Modified: 900, Hash: "h"}
	computed := 0
	hash := func(result string) func(Entry, bool) (string, error) {
		return func(_ Entry, source bool) (string, error) {
			if computed++; !source {
				t.Error("the destination's is known")
			}
			return result, nil
		}
	}
	if got, _ := actions(t, listOf(file), listOf(object), Options{Hash: hash("h")}); got != "" {
		t.Errorf("the content is the same: %q", got)
	}
	if got, _ := actions(t, listOf(file), listOf(object), Options{Hash: hash("x")}); got != "~a" {
		t.Errorf("the content is another: %q", got)
	}
	if computed != 2 {
		t.Errorf("%d computed", computed)
	}
	object.Hash = ""
	if got, _ := actions(t, listOf(file), listOf(object), Options{Hash: hash("h")}); got != "~a" || computed != 2 {
		t.Errorf("without the other's checksum times count: %q", got)
	}
	failing := func(Entry, bool) (string, error) { return "", errors.New("unread") }
	object.Hash = "h"
	got, stats := actions(t, listOf(file, Entry{Key: "b"}), listOf(object), Options{Hash: failing})
	if got != "!a +b" || stats.Failed != 1 {
		t.Errorf("a file that cannot be read: %q, %+v", got, stats)
	}
}

func TestDiffStops(t *testing.T) {
	t.Parallel()
	broken := func(yield func(Entry, error) bool) {
		if yield(Entry{Key: "b"}, nil) {
			yield(Entry{}, io.ErrUnexpectedEOF)
		}
	}
	deleted := 0
	_, err := Diff(broken, listOf(Entry{Key: "b"}, Entry{Key: "c"}), Options{Delete: true}, func(a Action) error {
		deleted++
		return nil
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) || deleted != 0 {
		t.Errorf("a listing that ends early: %v, %d deleted", err, deleted)
	}
	if _, err = Diff(listOf(Entry{Key: "b"}, Entry{Key: "a"}), listOf(), Options{}, func(Action) error { return nil }); !errors.Is(err, errOrder) {
		t.Errorf("out of order: %v", err)
	}
	stop := errors.New("stop")
	if _, err = Diff(listOf(Entry{Key: "b"}), listOf(), Options{}, func(Action) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
}

// TestDiffModel compares Diff with two maps.
func TestDiffModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		sides := [2]map[string]int64{{}, {}}
		var lists [2][]Entry
		for i := range sides {
			for range rng.IntN(30) {
				sides[i][fmt.Sprintf("%c/%c", 'a'+rng.IntN(5), 'a'+rng.IntN(5))] = int64(rng.IntN(2))
			}
			for key, size := range sides[i] {
				lists[i] = append(lists[i], Entry{Key: key, Size: size})
			}
			slices.SortFunc(lists[i], func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
		}
		_, err := Diff(listOf(lists[0]...), listOf(lists[1]...), Options{Delete: true}, func(a Action) error {
			if a.Verb == Delete {
				delete(sides[1], a.Key)
			} else {
				sides[1][a.Key] = a.Source.Size
			}
			return nil
		})
		if err != nil || fmt.Sprint(sides[0]) != fmt.Sprint(sides[1]) {
			t.Fatalf("seed %d: %v: %v, %v", seed, err, sides[0], sides[1])
		}
	}
}

func keysOf(t *testing.T, list Listing) []string {
	t.Helper()
	var keys []string
	for e, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		if e.Err != nil {
			e.Key += "!"
		}
		keys = append(keys, e.Key)
	}
	return keys
}

func TestLocal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a/b", "a.txt", "a0", "a/c/d", "z", "skip/x", ".temp"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	links := os.Symlink(filepath.Join(dir, "z"), filepath.Join(dir, "y")) == nil &&
		os.Symlink(dir, filepath.Join(dir, "loop")) == nil && os.Symlink("nowhere", filepath.Join(dir, "broken")) == nil
	var warned []string
	list := Local(dir, LocalOptions{
		LeavesOut: func(folder string) bool { return folder == "skip/" },
		Skips:     func(name string) bool { return name == ".temp" },
		Warn:      func(path, what string) { warned = append(warned, filepath.Base(path)) },
	})
	want := []string{"a.txt", "a/b", "a/c/d", "a0", "z"} // as keys sort, which is not how folders do
	if links {
		want = []string{"a.txt", "a/b", "a/c/d", "a0", "broken!", "y", "z"}
	}
	if got := keysOf(t, list); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if links && !slices.Equal(warned, []string{"loop"}) {
		t.Errorf("warned of %q", warned)
	}
	if got := keysOf(t, Local(filepath.Join(dir, "none"), LocalOptions{Absent: true})); got != nil {
		t.Errorf("an absent directory: %q", got)
	}
	if got := keysOf(t, Local(filepath.Join(dir, "none"), LocalOptions{})); !slices.Equal(got, []string{"!"}) {
		t.Errorf("a missing directory: %q", got)
	}
}

// TestLocalVanishes has a folder replaced by an empty one between the reading of its names and of its files, as when a
// disk is unmounted.
func TestLocalVanishes(t *testing.T) {
	t.Parallel()
	for _, unmounted := range []bool{true, false} {
		dir := t.TempDir()
		for _, name := range []string{"a", "b"} {
			if err := os.MkdirAll(filepath.Join(dir, "disk"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "disk", name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		gone := func(name string) bool {
			switch {
			case name != "a":
			case unmounted:
				_ = os.Rename(filepath.Join(dir, "disk"), filepath.Join(t.TempDir(), "away"))
				_ = os.Mkdir(filepath.Join(dir, "disk"), 0o755)
			default:
				_ = os.Remove(filepath.Join(dir, "disk", "b"))
			}
			return false
		}
		got, _ := actions(t, Local(dir, LocalOptions{Skips: gone}), listOf(Entry{Key: "disk/a"}, Entry{Key: "disk/b"}), Options{Delete: true, SizeOnly: true})
		if want := map[bool]string{true: "!disk/", false: "-disk/b"}[unmounted]; got != want {
			t.Errorf("unmounted %v: %q, want %q", unmounted, got, want)
		}
	}
}

func TestPeek(t *testing.T) {
	t.Parallel()
	if list, empty := Peek(listOf()); !empty || keysOf(t, list) != nil {
		t.Error("an empty listing")
	}
	list, empty := Peek(listOf(Entry{Key: "a"}, Entry{Key: "b"}))
	if got := keysOf(t, list); empty || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v, %q", empty, got)
	}
}

// TestSorter sorts more than its memory holds, and leaves no file behind.
func TestSorter(t *testing.T) {
	t.Parallel()
	for _, memory := range []int{1, 5000, 1 << 30} {
		dir := t.TempDir()
		s := &sorter{dir: dir, memory: memory}
		var want []string
		for i := range 500 {
			e := Entry{Key: fmt.Sprintf("key %d", i*7919%500), Size: int64(i), Modified: int64(-i), Created: 5, Hash: strings.Repeat("h", i%2*32)}
			want = append(want, e.Key)
			if err := s.add(e); err != nil {
				t.Fatal(err)
			}
		}
		if memory == 5000 && len(s.files) < 5 {
			t.Errorf("only %d files", len(s.files))
		}
		slices.Sort(want)
		if got := keysOf(t, s.sorted()); !slices.Equal(got, want) {
			t.Errorf("memory %d: not sorted", memory)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestSorterStopped(t *testing.T) {
	t.Parallel()
	s := &sorter{dir: t.TempDir(), memory: 1}
	for _, key := range []string{"b", "a", "c"} {
		if err := s.add(Entry{Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	for e, err := range s.sorted() {
		if e.Key != "a" || err != nil {
			t.Errorf("%v, %v", e, err)
		}
		break
	}
	if s.files != nil {
		t.Error("files are open")
	}
	if err := (&sorter{dir: filepath.Join(t.TempDir(), "none"), memory: 1}).add(Entry{}); err == nil {
		t.Error("no directory, no error")
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, &Entry{Key: "a/b", Size: 5, Modified: 1, Created: -1, Hash: strings.Repeat("h", 32)}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := readRecord(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		again, err := readRecord(bufio.NewReader(bytes.NewReader(appendRecord(nil, &e))))
		if err != nil || again != e {
			t.Fatalf("%+v, %v; want %+v", again, err, e)
		}
	})
}

func BenchmarkDiff(b *testing.B) {
	entries := make([]Entry, 100_000)
	for i := range entries {
		entries[i] = Entry{Key: fmt.Sprintf("folder/%08d.jpg", i), Size: 1000, Modified: 5}
	}
	b.ReportAllocs()
	for b.Loop() {
		s := &sorter{memory: sorterMemory}
		for i := range entries {
			if err := s.add(entries[len(entries)-1-i]); err != nil {
				b.Fatal(err)
			}
		}
		stats, err := Diff(listOf(entries...), s.sorted(), Options{Delete: true}, func(Action) error { return nil })
		if err != nil || stats.Same != int64(len(entries)) {
			b.Fatal(stats, err)
		}
	}
}
