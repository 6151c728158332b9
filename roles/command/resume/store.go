package resume

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/blake3"
)

const (
	version     = 1
	maxEntry    = 64 << 10 // bytes of a file
	stateSuffix = ".json"
	lockSuffix  = ".lock"
	idSize      = 16 // bytes
)

// KeptFor is how long Clean leaves what nobody went on with. The satellite forgets an upload in parts sooner.
const KeptFor = 7 * 24 * time.Hour

// Store is a directory of interrupted transfers. It need not exist.
type Store struct {
	Dir string
}

// Entry is what is known of a transfer; its fields are explained in the package comment.
type Entry struct {
	Upload   string `json:"upload,omitempty"`
	PartSize int64  `json:"part_size,omitempty"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified,omitempty"`
	Revision string `json:"revision,omitempty"`
	Done     int64  `json:"done,omitempty"`
	Partial  string `json:"partial,omitempty"`
}

// file is what is written.
type file struct {
	Version int `json:"version"`
	Entry
}

// ID names a transfer by what it is of: the same texts, the same ID, and no other way back.
func ID(texts ...string) string {
	h := blake3.New()
	for _, text := range texts {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(text)))
		_, _ = h.Write(size[:]) // never fails
		_, _ = h.WriteString(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:idSize])
}

// Claim is the sole right to a transfer, until Release. It is for one goroutine.
type Claim struct {
	store Store
	id    string
	lock  *os.File
}

// Claim takes the right to a transfer. It is nil, without an error, while somebody else has it.
//
// Errors: those of the file system.
func (s Store) Claim(id string) (*Claim, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep state of transfers: %w", err)
	}
	path := s.path(id, lockSuffix)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep state of transfers: %w", err)
	}
	if !tryLock(f) || !isAt(f, path) {
		_ = f.Close() // nothing was written
		return nil, nil
	}
	return &Claim{s, id, f}, nil
}

// isAt says whether a file is still the one of that name: who had the claim before may have removed it.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	there, statErr := os.Stat(path)
	return err == nil && statErr == nil && os.SameFile(mine, there)
}

func (s Store) path(id, suffix string) string { return filepath.Join(s.Dir, id+suffix) }

// Load returns what was saved last. What cannot be read is not known: the transfer then begins anew.
func (c *Claim) Load() (entry Entry, known bool) {
	return c.store.load(c.id)
}

func (s Store) load(id string) (entry Entry, known bool) {
	path := s.path(id, stateSuffix)
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxEntry {
		return Entry{}, false
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Entry{}, false
	}
	return decode(raw)
}

func decode(raw []byte) (Entry, bool) {
	var f file
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(&f) != nil || f.Version != version || f.Size < 0 || f.PartSize < 0 || f.Done < 0 || f.Done > f.Size {
		return Entry{}, false
	}
	return f.Entry, true
}

// Save keeps an entry in place of the one before, durably. Errors: those of the file system.
func (c *Claim) Save(entry Entry) error {
	raw, err := json.Marshal(file{version, entry})
	if err != nil {
		return fmt.Errorf("keep state of transfer: %w", err)
	}
	path := c.store.path(c.id, stateSuffix)
	temp, err := os.CreateTemp(c.store.Dir, ".storj-*.tmp") // made with mode 0600
	if err != nil {
		return fmt.Errorf("keep state of transfer: %w", err)
	}
	_, err = temp.Write(raw)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // best effort: the error is reported
		return fmt.Errorf("keep state of transfer: %w", err)
	}
	return nil
}

// Remove forgets the transfer: it is done, or cannot be gone on with.
func (c *Claim) Remove() error {
	err := os.Remove(c.store.path(c.id, stateSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Release gives the right back. It may be repeated.
func (c *Claim) Release() {
	if c.lock == nil {
		return
	}
	if _, err := os.Stat(c.store.path(c.id, stateSuffix)); errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(c.lock.Name()) // best effort: it is empty
	}
	_ = c.lock.Close() // unlocks
	c.lock = nil
}

// Pending says whether anything is kept.
func (s Store) Pending() bool {
	entries, err := os.ReadDir(s.Dir)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), stateSuffix) })
}

// Clean forgets transfers that nobody went on with for KeptFor, and deletes their partial files. It does what it can.
func (s Store) Clean(now time.Time) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < KeptFor {
			continue
		}
		name := e.Name()
		id, isState := strings.CutSuffix(name, stateSuffix)
		id, isLock := strings.CutSuffix(id, lockSuffix)
		switch {
		case isState:
			s.cleanEntry(id)
		case isLock:
			if _, err := os.Stat(s.path(id, stateSuffix)); errors.Is(err, fs.ErrNotExist) {
				s.cleanEntry(id)
			}
		case strings.HasPrefix(name, ".storj-"):
			_ = os.Remove(filepath.Join(s.Dir, name)) // best effort
		}
	}
}

func (s Store) cleanEntry(id string) {
	claim, err := s.Claim(id)
	if err != nil || claim == nil {
		return // somebody works on it
	}
	defer claim.Release()
	if entry, known := claim.Load(); known && entry.Partial != "" && strings.HasPrefix(filepath.Base(entry.Partial), ".storj-") {
		_ = os.Remove(entry.Partial) // best effort
	}
	_ = claim.Remove() // best effort
}
