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
