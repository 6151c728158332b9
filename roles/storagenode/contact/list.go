package contact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"storj/netx"
	"storj/roles/storagenode/durable"
)

const (
	fileVersion   = 1
	maxFileBytes  = 1 << 20
	maxSatellites = 256
	maxForgotten  = 256
)

// ErrFile is returned for a list of satellites that cannot be read.
var ErrFile = errors.New("list of satellites is damaged")

// fileList is the file's content.
type fileList struct {
	Version    int            `json:"version"`
	Satellites []fileEntry    `json:"satellites"`
	Forgotten  []netx.NodeURL `json:"forgotten,omitempty"` // whose pieces are still to be deleted
}

type fileEntry struct {
	URL     netx.NodeURL `json:"url"`
	Joined  time.Time    `json:"joined"`
	Exiting time.Time    `json:"exiting,omitzero"` // when the owner said so; zero: stays
}

// readList reads the file. One that is not there is an empty list. Errors: ErrFile.
func readList(path string) (list fileList, err error) {
	file, err := os.Open(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return list, fmt.Errorf("read satellites: %w", err)
	}
	defer func() { _ = file.Close() }() // best effort: read only
	raw, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return list, fmt.Errorf("read satellites: %w", err)
	}
	if list, err = parseList(raw); err != nil {
		return fileList{}, fmt.Errorf("%w: %s: %w", ErrFile, path, err)
	}
	return list, nil
}

func parseList(raw []byte) (list fileList, err error) {
	if len(raw) > maxFileBytes {
		return list, fmt.Errorf("over %d bytes", maxFileBytes)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return list, err
	}
	if list.Version != fileVersion {
		return list, fmt.Errorf("version %d is not %d", list.Version, fileVersion)
	}
	if len(list.Satellites) > maxSatellites || len(list.Forgotten) > maxForgotten {
		return list, fmt.Errorf("over %d satellites", maxSatellites)
	}
	seen := make(map[netx.NodeID]bool, len(list.Satellites))
	for _, entry := range list.Satellites {
		if entry.URL.ID.IsZero() || seen[entry.URL.ID] {
			return list, fmt.Errorf("satellite %s is missing or given twice", entry.URL.ID)
		}
		seen[entry.URL.ID] = true
	}
	for _, url := range list.Forgotten {
		if url.ID.IsZero() || seen[url.ID] {
			return list, fmt.Errorf("satellite %s is forgotten twice, or served", url.ID)
		}
		seen[url.ID] = true
	}
	return list, nil
}

// writeList replaces the file and returns when it is on disk.
func writeList(path string, list fileList) error {
	if path == "" {
		return nil
	}
	list.Version = fileVersion
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("save satellites: %w", err)
	}
	if err := durable.Replace(path, append(raw, '\n')); err != nil {
		return fmt.Errorf("save satellites: %w", err)
	}
	return nil
}
