package transfer

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func fillWith(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

var errFill = errors.New("the source failed")

func failAfter(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		return errFill
	}
}

// onlyThese fails unless a directory holds exactly these names.
func onlyThese(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	if len(found) != len(names) {
		t.Fatalf("in the directory: %q, want %q", found, names)
	}
	for i := range names {
		if found[i] != names[i] {
			t.Fatalf("in the directory: %q, want %q", found, names)
		}
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := writeFile(path, fileOptions{}, fillWith("one")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, fileOptions{}, fillWith("two")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 || content(t, path) != "two" {
		t.Errorf("a replaced file keeps its permissions: %v, %v, %q", info.Mode(), err, content(t, path))
	}
	onlyThese(t, dir, "file")
}

func TestWriteFileFailing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := writeFile(path, fileOptions{}, failAfter("half")); !errors.Is(err, errFill) {
		t.Errorf("new file: %v", err)
	}
	onlyThese(t, dir)
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, fileOptions{}, failAfter("half")); !errors.Is(err, errFill) {
		t.Errorf("replacing: %v", err)
	}
	onlyThese(t, dir, "file")
	if got := content(t, path); got != "old" {
		t.Errorf("the old file was touched: %q", got)
	}
}

func TestWriteFileSeenWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	err := writeFile(path, fileOptions{}, func(w io.Writer) error {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file has its name before it is complete: %v", err)
		}
		return fillWith("x")(w)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWriteFileIfAbsent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	opts := fileOptions{ifAbsent: true}
	if err := writeFile(path, opts, fillWith("one")); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, opts, fillWith("two")); !errors.Is(err, ErrExists) {
		t.Errorf("existing: %v", err)
	}
	other := filepath.Join(dir, "other")
	err := writeFile(other, opts, func(w io.Writer) error { // somebody makes it meanwhile
		return os.WriteFile(other, []byte("theirs"), 0o600)
	})
	if !errors.Is(err, ErrExists) || content(t, other) != "theirs" || content(t, path) != "one" {
		t.Errorf("made meanwhile: %v, %q", err, content(t, other))
	}
	onlyThese(t, dir, "file", "other")
}

func TestWriteFilePlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "file")
	if err := writeFile(deep, fileOptions{}, fillWith("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is missing: %v", err)
	}
	if err := writeFile(deep, fileOptions{makeDirs: true}, fillWith("x")); err != nil || content(t, deep) != "x" {
		t.Errorf("a directory that may be made: %v", err)
	}
	if err := writeFile(filepath.Join(dir, "a"), fileOptions{}, fillWith("x")); !errors.Is(err, ErrPlace) {
		t.Errorf("a directory in place of a file: %v", err)
	}
	if err := writeFile(filepath.Join(deep, "x"), fileOptions{makeDirs: true}, fillWith("x")); err == nil {
		t.Error("a file in place of a directory: no error")
	}
	if err := writeFile(os.DevNull, fileOptions{}, fillWith("x")); err != nil {
		t.Errorf("a device: %v", err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("the device was replaced: %v, %v", info, err)
	}
}

func TestWriteFileSymlink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here")
	}
	if err := writeFile(link, fileOptions{}, fillWith("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 || content(t, target) != "new" {
		t.Errorf("a file behind a link is replaced where it is: %v, %v", info.Mode(), err)
	}
}

// TestStaysIn mirrors into a directory with symbolic links, by names that somebody else chose.
func TestStaysIn(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	root, outside := filepath.Join(base, "mirror"), filepath.Join(base, "outside")
	for _, dir := range []string{filepath.Join(root, "inner"), outside} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"out": outside, "up": "..", "in": "inner", "file": filepath.Join(outside, "precious"), "nowhere": filepath.Join(base, "absent"),
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Skip(err) // a system without them
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "precious"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"a": true, "new/b": true, "inner/c": true, "in/d": true, "nowhere": true,
		"out/e": false, "out/new/f": false, "up/outside/g": false, "file": false,
	} {
		err := writeFile(filepath.Join(root, filepath.FromSlash(name)), fileOptions{makeDirs: true, root: root}, fillWith("theirs"))
		if ok && err != nil || !ok && !errors.Is(err, ErrPlace) {
			t.Errorf("%s: %v", name, err)
		}
	}
	onlyThese(t, outside, "precious")
	if got := content(t, filepath.Join(outside, "precious")); got != "mine" {
		t.Errorf("the file outside has %q", got)
	}
	fresh := filepath.Join(base, "fresh")
	if err := writeFile(filepath.Join(fresh, "a"), fileOptions{makeDirs: true, root: fresh}, fillWith("x")); err != nil {
		t.Errorf("a mirror that is not there yet: %v", err)
	}
}

// TestReplacedStaysPrivate looks at a file while it is written that takes the place of one which others may not read.
func TestReplacedStaysPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := writeFile(path, fileOptions{}, func(w io.Writer) error {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 2 {
			t.Errorf("%d files, %v", len(entries), err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s can be read by others: %v, %v", e.Name(), info.Mode(), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestReopen goes on with what is ours only.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine, link := filepath.Join(dir, "mine"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(mine, []byte("12345"), 0o600), os.Symlink(mine, link)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path string
		size int64
		ok   bool
	}{{mine, 5, true}, {mine, 3, true}, {mine, 6, false}, {link, 5, false}, {dir, 0, false}, {mine + "x", 0, false}} {
		f := reopen(test.path, test.size)
		if (f != nil) != test.ok {
			t.Errorf("%s with %d bytes: opened %v", filepath.Base(test.path), test.size, f != nil)
		}
		if f != nil {
			_ = f.Close() // nothing was written
		}
	}
}
