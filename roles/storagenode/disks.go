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
	"storj/roles/storagenode/durable"
)

// ErrDiskList is returned for a list of disks that cannot be read.
var ErrDiskList = errors.New("list of disks is damaged")

const (
	diskListVersion = 1
	// checkRate is how fast a running node reads when its owner asks for a check, in bytes a second: half of a slow disk.
	checkRate = 64 << 20
)

// diskList is the content of disksFile.
type diskList struct {
	Version int      `json:"version"`
	Disks   []string `json:"disks"`           // absolute paths
	Moved   []moved  `json:"moved,omitempty"` // settings may still name the old path
	Lost    []string `json:"lost,omitempty"`  // given up for good
}

// moved says that what the settings call From lies in To.
type moved struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// note notes that from is moved to to, whatever path the settings know it by.
func (l *diskList) note(from, to string) {
	l.Moved = append(l.Moved, moved{from, to})
	if !slices.Contains(l.Disks, to) {
		l.Disks = append(l.Disks, to)
	}
}

// forgetMove takes a move back that did not happen.
func (l *diskList) forgetMove(m moved) {
	l.Moved = slices.DeleteFunc(l.Moved, func(other moved) bool { return other == m })
	l.Disks = slices.DeleteFunc(l.Disks, func(path string) bool { return path == m.To })
}

func (l diskList) save(path string) error {
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("save list of disks: %w", err)
	}
	return durable.Replace(path, append(raw, '\n'))
}

// resolve returns where what the settings call a path lies now: moves are finished or taken back on the way. lost: it was
// given up.
func (l *diskList) resolve(path string) (now string, lost bool, err error) {
	for _, m := range slices.Clone(l.Moved) {
		if m.From != path {
			continue
		}
		current, err := logstore.FinishMove(m.From, m.To)
		if err != nil && !errors.Is(err, logstore.ErrNoMarker) {
			return path, false, err
		}
		if current == m.From {
			l.forgetMove(m)
		} else {
			path = current
		}
	}
	return path, slices.Contains(l.Lost, path), nil
}

// setUpDisks sets up the directories that are new to this node. One that is not new and has lost its marker is left as it
// is: its disk is not mounted.
func (n *Node) setUpDisks() error {
	path := filepath.Join(n.opts.Dir, disksFile)
	list, err := readDiskList(path)
	if err != nil {
		return err
	}
	before := fmt.Sprint(list)
	if n.opts.Disks, err = list.where(n.opts.Disks); err != nil {
		return err
	}
	for _, disk := range n.opts.Disks {
		abs := disk.Path
		if slices.Contains(list.Disks, abs) {
			continue
		}
		if err := logstore.Setup(abs); err != nil {
			return err
		}
		n.log.Info().Str("path", abs).Msg("storage directory set up")
		list.Disks = append(list.Disks, abs)
	}
	if fmt.Sprint(list) == before {
		return nil
	}
	return list.save(path)
}

// where returns the directories that the settings mean: absolute, where they were moved to, without those that are lost.
func (l *diskList) where(disks []Disk) (list []Disk, err error) {
	for _, disk := range disks {
		abs, err := filepath.Abs(disk.Path)
		if err != nil {
			return nil, fmt.Errorf("set up disk: %w", err)
		}
		now, lost, err := l.resolve(abs)
		if err != nil {
			return nil, err
		}
		known := slices.ContainsFunc(list, func(d Disk) bool { return d.Path == now })
		if !lost && !known { // the settings may name both the old and the new place
			list = append(list, Disk{Path: now, Capacity: disk.Capacity})
		}
	}
	return list, nil
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
		IORate: opts.IORate, CheckRate: checkRate,
	})
	if err != nil {
		return nil, fmt.Errorf("open disks: %w", err)
	}
	return store, nil
}
