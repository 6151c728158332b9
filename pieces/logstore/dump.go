package logstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Dump writes one line for each record in the logs of a directory: log, offset, kind, satellite, piece or number of
// items, size, creation, expiry. It reads without the lock, so a store that runs may be dumped; what is being written
// shows as damage.
func Dump(ctx context.Context, w io.Writer, path string) error {
	d := newDir(Dir{Path: path}, Options{}.withDefaults())
	var err error
	if d.id, err = readMarker(d.fs, path); err != nil {
		return err
	}
	files, err := d.fs.List(filepath.Join(path, logsName))
	if err != nil {
		return diskErr("list logs", err)
	}
	var logs []*logFile
	for name := range files {
		if l, ok := parseName(name); ok {
			logs = append(logs, l)
		}
	}
	slices.SortFunc(logs, func(a, b *logFile) int { return int(int64(a.num) - int64(b.num)) })
	for _, l := range logs {
		if err := d.dumpLog(ctx, w, l, files[l.name()]); err != nil {
			return fmt.Errorf("dump log %s: %w", l.name(), err)
		}
	}
	return nil
}

func (d *dir) dumpLog(ctx context.Context, w io.Writer, l *logFile, size int64) error {
	f, err := os.Open(d.logPath(l))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // best effort: read only
	s := &scanner{file: osFile{f}, mark: syncOf(d.id, l.num), end: size}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := s.next()
		if err != nil && err != io.EOF {
			return err
		}
		if s.gap > 0 {
			if _, err := fmt.Fprintf(w, "%s %10d damaged %d bytes\n", l.name(), s.pos-rec.length-s.gap, s.gap); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err := dumpRecord(w, l.name(), rec); err != nil {
			return err
		}
	}
}

func dumpRecord(w io.Writer, log string, r record) error {
	what := r.hdr.piece.String()
	if !r.hdr.kind.isPiece() {
		what = fmt.Sprintf("%d items", r.hdr.size/itemSize)
	}
	const layout = "2006-01-02T15:04:05Z"
	line := fmt.Sprintf("%s %10d %-7s %s %s %d %s", log, r.offset, r.hdr.kind, r.hdr.satellite.Short(),
		what, r.hdr.size, fromSeconds(uint32(r.hdr.created)).Format(layout))
	if r.hdr.expires != 0 {
		line += " expires " + fromSeconds(uint32(r.hdr.expires)).Format(layout)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// Rebuild makes the indexes anew from the logs alone. The store must not be open. It takes as long as reading the
// header and footer of every piece does; after damage to an index Open does it unasked.
func Rebuild(ctx context.Context, opts Options) error {
	for _, d := range opts.Dirs {
		if err := setIndexAside(ctx, d.Path); err != nil {
			return fmt.Errorf("rebuild index of %s: %w", d.Path, err)
		}
	}
	s, err := Open(ctx, opts)
	if err != nil {
		return err
	}
	return s.Close()
}

// setIndexAside renames the index, if nobody uses it.
func setIndexAside(ctx context.Context, dir string) error {
	if _, err := readMarker(osFS{}, dir); err != nil {
		return err
	}
	lock, err := lockDir(ctx, dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, indexName)
	err = os.Rename(path, path+".old")
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, lock.Close())
}
