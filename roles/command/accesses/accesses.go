package accesses

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	fileName = "access.json"
	// upFileName is what a local network leaves; see the package comment.
	upFileName  = "access"
	fileVersion = 1
	maxFileSize = 16 << 20 // bytes
	maxNameSize = 64
)

var (
	// ErrNotFound is returned for a name that the store does not have.
	ErrNotFound = errors.New("no access of this name")
	// ErrNone is returned by Find when no access is chosen and none could be.
	ErrNone = errors.New("no access is set up")
	// ErrExists is returned by Save for a name that is taken.
	ErrExists = errors.New("an access of this name exists already")
	// ErrName is returned by Save for a name that is none.
	ErrName = errors.New("an access name is 1 to 64 letters, digits, '.', '-' or '_'")
	// ErrFormat is returned for a file that this version does not read.
	ErrFormat = errors.New("access file cannot be read")
)

// Store is the file in Dir. It need not exist.
type Store struct {
	Dir string
}

// Named is an access grant and its name.
type Named struct {
	Name    string
	Grant   string
	Current bool
}

// SaveOptions tunes Save.
type SaveOptions struct {
	Use     bool // make it the current one; the first one saved always is
	Replace bool // an access of this name
}

// file is what is written; FORMAT in the package comment.
type file struct {
	Version  int               `json:"version"`
	Current  string            `json:"current,omitempty"`
	Accesses map[string]string `json:"accesses"`
}

// Path returns where the file is, for messages.
func (s Store) Path() string { return filepath.Join(s.Dir, fileName) }

// Save keeps a grant under a name. It does not look into the grant.
//
// Errors: ErrName, ErrExists, ErrFormat, those of the file system.
func (s Store) Save(name, grant string, opts SaveOptions) error {
	if err := CheckName(name); err != nil {
		return err
	}
	f, err := s.read()
	if err != nil {
		return err
	}
	if _, exists := f.Accesses[name]; exists && !opts.Replace {
		return fmt.Errorf("%w: %s", ErrExists, name)
	}
	f.Accesses[name] = grant
	if opts.Use || len(f.Accesses) == 1 {
		f.Current = name
	}
	return s.write(f)
}

// CheckName says whether a name can be used. Errors: ErrName.
func CheckName(name string) error {
	valid := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	if name == "" || len(name) > maxNameSize || name[0] == '-' || name[0] == '.' ||
		strings.ContainsFunc(name, func(r rune) bool { return !valid(r) }) {
		return ErrName
	}
	return nil
}

// Find returns the grant of a name; of the current one for the empty name, and, when there is none, what a local network
// left.
//
// Errors: ErrNotFound, ErrNone, ErrFormat, those of the file system.
func (s Store) Find(name string) (Named, error) {
	f, err := s.read()
	if err != nil {
		return Named{}, err
	}
	if name != "" {
		grant, ok := f.Accesses[name]
		if !ok {
			return Named{}, fmt.Errorf("%w: %s", ErrNotFound, name)
		}
		return Named{name, grant, name == f.Current}, nil
	}
	if grant, ok := f.Accesses[f.Current]; ok {
		return Named{f.Current, grant, true}, nil
	}
	if grant, err := ReadGrant(filepath.Join(s.Dir, upFileName)); err == nil {
		return Named{upFileName, grant, true}, nil
	}
	return Named{}, ErrNone
}

// List returns all accesses in order of name. Errors: ErrFormat, those of the file system.
func (s Store) List() ([]Named, error) {
	f, err := s.read()
	if err != nil {
		return nil, err
	}
	list := make([]Named, 0, len(f.Accesses))
	for _, name := range slices.Sorted(maps.Keys(f.Accesses)) {
		list = append(list, Named{name, f.Accesses[name], name == f.Current})
	}
	return list, nil
}

// Use makes an access the current one. Errors: ErrNotFound, ErrFormat, those of the file system.
func (s Store) Use(name string) error {
	return s.change(name, func(f *file) { f.Current = name })
}

// Remove forgets an access; what it opens stays as it is. The current one may be removed: then none is current.
//
// Errors: ErrNotFound, ErrFormat, those of the file system.
func (s Store) Remove(name string) error {
	return s.change(name, func(f *file) {
		delete(f.Accesses, name)
		if f.Current == name {
			f.Current = ""
		}
	})
}

func (s Store) change(name string, change func(*file)) error {
	f, err := s.read()
	if err != nil {
		return err
	}
	if _, ok := f.Accesses[name]; !ok {
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	change(f)
	return s.write(f)
}

// Exposed says whether other users of the machine can read the file.
func (s Store) Exposed() bool {
	info, err := os.Stat(s.Path())
	return err == nil && os.PathSeparator == '/' && info.Mode().Perm()&0o077 != 0
}

func (s Store) read() (*file, error) {
	raw, err := readLimited(s.Path(), maxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return &file{Version: fileVersion, Accesses: map[string]string{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read accesses: %w", err)
	}
	return decode(raw, s.Path())
}

// decode never shows what is in the file: it is secret.
func decode(raw []byte, path string) (*file, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %s is not what this version of storj writes", ErrFormat, path)
	}
	if f.Version != fileVersion {
		return nil, fmt.Errorf("%w: %s has version %d, this storj reads %d", ErrFormat, path, f.Version, fileVersion)
	}
	if f.Accesses == nil {
		f.Accesses = map[string]string{}
	}
	return &f, nil
}

func (s Store) write(f *file) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("write accesses: %w", err)
	}
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write accesses: %w", err)
	}
	return WriteSecret(s.Path(), append(raw, '\n'))
}

// WriteSecret replaces a file as a whole, mode 0600, and returns when it is on disk.
func WriteSecret(path string, content []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".storj-*.tmp") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // best effort: the error is reported
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename durable where the system can; some file systems cannot, and refuse.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	_ = dir.Sync() // best effort: not every file system syncs directories
	return dir.Close()
}

// ReadGrant reads a file that holds one grant, or another short secret: its text without white space around it.
func ReadGrant(path string) (string, error) {
	raw, err := readLimited(path, maxFileSize)
	return strings.TrimSpace(string(raw)), err
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		return nil, fmt.Errorf("%w: %s is over %d bytes", ErrFormat, path, limit)
	}
	return raw, err
}
