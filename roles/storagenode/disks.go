package storagenode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/roles/storagenode/contact"
)

// ErrDiskList is returned for a list of disks that cannot be read.
var ErrDiskList = errors.New("list of disks is damaged")

const diskListVersion = 1

// diskList is the content of disksFile.
type diskList struct {
	Version int      `json:"version"`
	Disks   []string `json:"disks"` // absolute paths
}

// setUpDisks sets up the directories that are new to this node. One that is not new and has lost its marker is left as it
// is: its disk is not mounted.
func (n *Node) setUpDisks() error {
	path := filepath.Join(n.opts.Dir, disksFile)
	list, err := readDiskList(path)
	if err != nil {
		return err
	}
	known := len(list.Disks)
	for _, disk := range n.opts.Disks {
		abs, err := filepath.Abs(disk.Path)
		if err != nil {
			return fmt.Errorf("set up disk: %w", err)
		}
		if slices.Contains(list.Disks, abs) {
			continue
		}
		if err := logstore.Setup(abs); err != nil {
			return err
		}
		n.log.Info().Str("path", abs).Msg("storage directory set up")
		list.Disks = append(list.Disks, abs)
	}
	if len(list.Disks) == known {
		return nil
	}
	raw, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("save list of disks: %w", err)
	}
	return contact.ReplaceFile(path, append(raw, '\n'))
}

func readDiskList(path string) (diskList, error) {
	list := diskList{Version: diskListVersion}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return list, fmt.Errorf("read list of disks: %w", err)
	}
	if err := json.Unmarshal(raw, &list); err != nil || list.Version != diskListVersion {
		return list, fmt.Errorf("%w: %s", ErrDiskList, path)
	}
	return list, nil
}

// openDisks opens directories that are set up. Of several, one that fails does not keep the others from serving.
func openDisks(ctx context.Context, opts Options) (pieces.Store, error) {
	if len(opts.Disks) == 0 {
		return nil, errNoDisks
	}
	dirs := make([]logstore.Dir, len(opts.Disks))
	for i, disk := range opts.Disks {
		dirs[i] = logstore.Dir{Path: disk.Path, Capacity: disk.Capacity}
	}
	store, err := logstore.Open(ctx, logstore.Options{
		Dirs: dirs, Reserve: opts.Reserve, NoSync: opts.RelaxedSync, AllowFaulty: len(dirs) > 1, Log: opts.Log, Now: opts.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("open disks: %w", err)
	}
	return store, nil
}
