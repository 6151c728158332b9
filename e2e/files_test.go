package e2e

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"storj/roles/devnet"
)

// TestSizesAndRanges stores files around every limit of size, and reads parts of them.
func TestSizesAndRanges(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	n.must("mb", "sj://sizes")
	const block = 32 << 10
	sizes := []int{0, 1, 2, 15, 16, 17, 4079, 4080, 4081, 4095, 4096, 4097, block - 17, block - 16, block - 15, block, 2 * block, 2*block + 1, 1<<20 - 1, 3 << 20}
	if testing.Short() {
		sizes = []int{0, 1, 4096, 4097, block - 16, block + 1}
	}
	for _, size := range sizes {
		source := randomFile(t, size, 21)
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		place := fmt.Sprintf("sj://sizes/%d", size)
		n.must("cp", source, place)
		n.same(place, source)
		part := func(text string, want []byte) {
			t.Helper()
			back := filepath.Join(t.TempDir(), "back")
			n.must("cp", "--range", text, place, back)
			got, err := os.ReadFile(back)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s, range %s: %d bytes that differ from the %d, %v", place, text, len(got), len(want), err)
			}
		}
		part("-1", content[max(0, size-1):])
		part(fmt.Sprintf("-%d", size+10), content)
		if size == 0 {
			n.refused(2, "cp", "--range", "1-1", place, t.TempDir()+"/x")
			continue
		}
		part("0-0", content[:1])
		part(fmt.Sprintf("%d-%d", size-1, size-1), content[size-1:])
		part(fmt.Sprintf("0-%d", size+100), content)
		first := rand.IntN(size)
		last := first + rand.IntN(size-first)
		part(fmt.Sprintf("%d-%d", first, last), content[first:last+1])
		part(fmt.Sprintf("%d-", first), content[first:])
		n.told(2, "behind the end", "cp", "--range", fmt.Sprintf("%d-", size+1), place, t.TempDir()+"/x")
	}
	for _, wrong := range []string{"5-4", "-0", "-", "a-b", "1", "--1", "+1-2"} {
		n.refused(2, "cp", "--range", wrong, "sj://sizes/1", t.TempDir()+"/x")
	}
}

// TestTreesComeBackEqual copies a tree of folders up, within the network and back.
func TestTreesComeBackEqual(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	n.must("mb", "sj://trees")
	tree := t.TempDir()
	for i, name := range []string{
		"a", "b/c", "b/d/e", "b/d/.hidden", "with space/and ünïcode", "-dash", "quote'\"", "tab\there", "new\nline", "percent%2F", "back\\slash",
		"invalid \xff utf-8", strings.Repeat("long", 50), strings.Repeat("deep/", 30) + "leaf", "empty", "~tilde", "*glob?", "b/z",
	} {
		write(t, filepath.Join(tree, filepath.FromSlash(name)), strings.Repeat(name, i*700))
	}
	write(t, filepath.Join(tree, "empty"), "")
	n.must("cp", "-r", tree, "sj://trees/up/")
	back := filepath.Join(t.TempDir(), "back")
	n.must("cp", "-r", "sj://trees/up/", back)
	n.must("cp", "-r", "sj://trees/up/", "sj://trees/copy/")
	n.must("mv", "-r", "sj://trees/copy/", "sj://trees/moved/")
	moved := filepath.Join(t.TempDir(), "moved")
	n.must("cp", "-r", "sj://trees/moved/", moved)
	want := contents(t, tree)
	for _, root := range []string{back, moved} {
		// cp -r DIR PLACE/ may put the tree, or what is in it, there
		if inner := filepath.Join(root, filepath.Base(tree)); exists(inner) {
			root = inner
		}
		got := contents(t, root)
		for name, content := range want {
			if got[name] != content {
				t.Errorf("%q came back with %d bytes, had %d", name, len(got[name]), len(content))
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d files came back of %d", len(got), len(want))
		}
	}
	if out := n.must("ls", "-r", "sj://trees/copy/").stdout; out != "" {
		t.Errorf("moved away, and still listed:\n%s", out)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// contents returns what is in the files below a directory, by their relative names.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSourcesAndDestinationsThatAreWrong tells what comes of them: a clear end, and what was there is unharmed.
func TestSourcesAndDestinationsThatAreWrong(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	n.must("mb", "sj://wrong")
	dir := t.TempDir()
	good := write(t, filepath.Join(dir, "good"), "good content")
	other := write(t, filepath.Join(dir, "other"), "other content")
	n.must("cp", good, "sj://wrong/good")
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	missing, folder := filepath.Join(dir, "missing"), filepath.Join(dir, "folder")
	write(t, filepath.Join(folder, "inside"), "inside")

	n.refused(3, "cp", missing, "sj://wrong/x")
	n.refused(3, "cp", dangling, "sj://wrong/x")
	n.told(2, "-r", "cp", folder, "sj://wrong/x")
	n.refused(3, "cp", "sj://wrong/nothing", filepath.Join(dir, "x"))
	n.refused(3, "cp", "sj://nobody/x", filepath.Join(dir, "x"))
	n.refused(3, "cp", good, "sj://nobody/x")
	n.refused(2, "cp", good, "sj://")
	n.refused(2, "cp", good, filepath.Join(dir, "x"))
	n.refused(2, "cp", "sj://wrong/good", "sj://wrong/good", good)
	n.must("cp", "sj://wrong/good", folder) // into it
	if got := contents(t, folder)["good"]; got != "good content" {
		t.Errorf("cp into a directory made %q", got)
	}
	for _, args := range [][]string{{"cp", "sj://wrong/good", filepath.Join(other, "below")}, {"cp", "-r", "sj://wrong", other}} {
		if res := n.try(args...); res.status == 0 || !strings.Contains(res.stderr, "not a directory") {
			t.Errorf("%q below a file: status %d\n%s", args, res.status, res.stderr)
		}
	}
	n.refused(3, "stat", "sj://wrong/x")
	if raw, err := os.ReadFile(other); err != nil || string(raw) != "other content" {
		t.Errorf("a file that was in the way has now %q, %v", raw, err)
	}

	bad := [][]string{{good, missing, other}, {dangling, good, other}, {good, folder, other}}
	if _, err := os.Stat("/proc/self/mem"); err == nil {
		bad = append(bad, []string{good, "/proc/self/mem", other}) // opens, and cannot be read
	}
	for i, sources := range bad {
		place := fmt.Sprintf("sj://wrong/several-%d/", i)
		res := n.refused(8, append(append([]string{"cp"}, sources...), place)...)
		if !strings.Contains(res.stderr, "1 of 3") {
			t.Errorf("%q: does not say how many failed:\n%s", sources, res.stderr)
		}
		n.same(place+"good", good)
		n.same(place+"other", other)
	}
	if names := files(t, dir); slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, ".part") }) {
		t.Errorf("left behind: %q", names)
	}
}

// TestPipes reads from a pipe and writes to one, where a person asks for it.
func TestPipes(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	n.must("mb", "sj://pipes")
	source := write(t, filepath.Join(t.TempDir(), "source"), strings.Repeat("through a pipe ", 10_000))
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("make pipe: %v", err)
	}
	fed := make(chan error, 1)
	go func() {
		raw, err := os.ReadFile(source)
		if err == nil {
			err = os.WriteFile(pipe, raw, 0o600)
		}
		fed <- err
	}()
	n.must("cp", pipe, "sj://pipes/object")
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	n.same("sj://pipes/object", source)
	taken := make(chan []byte, 1)
	go func() {
		raw, _ := os.ReadFile(pipe) // what is missing shows
		taken <- raw
	}()
	n.must("cp", "sj://pipes/object", pipe)
	if raw, err := os.ReadFile(source); err != nil || string(<-taken) != string(raw) {
		t.Errorf("another content came out of the pipe: %v", err)
	}
}
