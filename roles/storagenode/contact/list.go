package contact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"storj/netx"
)

const (
	fileVersion   = 1
	maxFileBytes  = 1 << 20
	maxSatellites = 256
)

// ErrFile is returned for a list of satellites that cannot be read.
var ErrFile = errors.New("list of satellites is damaged")

// fileList is the file's content.
type fileList struct {
	Version    int         `json:"version"`
	Satellites []fileEntry `json:"satellites"`
}

type fileEntry struct {
	URL    netx.NodeURL `json:"url"`
	Joined time.Time    `json:"joined"`
}

// readList reads the file. One that is not there is an empty list. Errors: ErrFile.
func readList(path string) ([]fileEntry, error) {
	file, err := os.Open(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read satellites: %w", err)
	}
	defer func() { _ = file.Close() }() // best effort: read only
	raw, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read satellites: %w", err)
	}
	list, err := parseList(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, path, err)
	}
	return list, nil
}

func parseList(raw []byte) ([]fileEntry, error) {
	if len(raw) > maxFileBytes {
		return nil, fmt.Errorf("over %d bytes", maxFileBytes)
	}
	var list fileList
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	if list.Version != fileVersion {
		return nil, fmt.Errorf("version %d is not %d", list.Version, fileVersion)
	}
	if len(list.Satellites) > maxSatellites {
		return nil, fmt.Errorf("over %d satellites", maxSatellites)
	}
	seen := make(map[netx.NodeID]bool, len(list.Satellites))
	for _, entry := range list.Satellites {
		if entry.URL.ID.IsZero() || seen[entry.URL.ID] {
			return nil, fmt.Errorf("satellite %s is missing or given twice", entry.URL.ID)
		}
		seen[entry.URL.ID] = true
	}
	return list.Satellites, nil
}

// writeList replaces the file and returns when it is on disk.
func writeList(path string, entries []fileEntry) error {
	if path == "" {
		return nil
	}
	raw, err := json.MarshalIndent(fileList{Version: fileVersion, Satellites: entries}, "", "  ")
	if err != nil {
		return fmt.Errorf("save satellites: %w", err)
	}
	if err := ReplaceFile(path, append(raw, '\n')); err != nil {
		return fmt.Errorf("save satellites: %w", err)
	}
	return nil
}

// ReplaceFile gives path new content, mode 0600, and returns when it is on disk: after a crash there is the old or the new.
func ReplaceFile(path string, raw []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // best effort: the error that counts is err
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
