package pieces

import (
	"context"
	"io"
	"time"

	"storj/netx"
)

// MaxPieceSize is the largest piece in bytes: a whole segment on one node.
const MaxPieceSize = 72 << 20

// Store keeps the pieces of a node. All methods may be called concurrently.
type Store interface {
	// Create starts a piece. Errors: ErrExists, ErrNoSpace when opts.Size does not fit, ErrStoreClosed, ErrDisk.
	Create(ctx context.Context, opts CreateOptions) (Writer, error)
	// Open finds a piece, live or in the trash. Errors: ErrNotFound, ErrStoreClosed, ErrCorrupt.
	Open(ctx context.Context, satellite netx.NodeID, piece PieceID) (Reader, error)
	// Trash marks pieces as deleted at the given time; they can be read and restored until emptied. Unknown pieces are
	// passed over. Durable on return.
	Trash(ctx context.Context, satellite netx.NodeID, pieces []PieceID, at time.Time) error
	// Restore takes every piece out of the trash which was put there at or after since; it returns how many.
	Restore(ctx context.Context, satellite netx.NodeID, since time.Time) (int64, error)
	// EmptyTrash deletes the pieces that were put into the trash before the given time; it returns how many.
	EmptyTrash(ctx context.Context, satellite netx.NodeID, before time.Time) (int64, error)
	// DeleteExpired deletes the pieces that expired before now; it returns how many.
	DeleteExpired(ctx context.Context, now time.Time) (int64, error)
	// Pieces calls fn for every piece of a satellite in no particular order, until it returns an error. Pieces that come
	// or go meanwhile may or may not be seen.
	Pieces(ctx context.Context, satellite netx.NodeID, fn func(Info) error) error
	// Usage returns the exact counters of each satellite that has any.
	Usage() map[netx.NodeID]Usage
	// Space returns what the store may still take.
	Space() Space
	// Check reads every byte and compares every counter. It runs beside other calls and reports what it found.
	Check(ctx context.Context) (CheckReport, error)
	// Close waits for running calls, makes the next start fast, and frees everything. Writers still open are cancelled.
	Close() error
}

// CreateOptions describes a piece to be stored.
type CreateOptions struct {
	Satellite netx.NodeID
	Piece     PieceID
	Size      int64     // bytes that will be written, exactly
	Expires   time.Time // zero: never
}

// Writer takes the bytes of one piece. It is used by one goroutine and ends with Commit or Cancel.
type Writer interface {
	// Write appends bytes. Writing more than CreateOptions.Size is ErrMalformed.
	io.Writer
	// Commit stores proof (encoded Proof, at most MaxProofSize bytes; the store does not look into it) and makes the
	// piece durable and visible at once: when it returns nil the piece survives a power cut. It is an error to commit
	// fewer bytes than announced. After an error nothing is stored.
	Commit(ctx context.Context, proof []byte) error
	// Cancel leaves nothing. After Commit it does nothing.
	Cancel() error
}

// Reader reads one piece; bytes are checked against the store's checksums before they are returned. ReadAt may be
// called concurrently. A piece that is deleted while open stays readable until Close.
type Reader interface {
	io.ReaderAt
	io.Closer
	// Info describes the piece.
	Info() Info
	// Proof returns what Commit was given.
	Proof() ([]byte, error)
}

// Info describes a stored piece.
type Info struct {
	Piece   PieceID
	Size    int64 // bytes
	Created time.Time
	Expires time.Time // zero: never
	Trashed time.Time // zero: live
}

// Usage counts the pieces of one satellite.
type Usage struct {
	Pieces      int64 // live
	Bytes       int64 // live, content only
	TrashPieces int64
	TrashBytes  int64
}

// Space says where the bytes of a store are.
type Space struct {
	Capacity int64       // bytes that the owner gives
	Used     int64       // bytes on disk for live pieces, with their headers
	Trash    int64       // bytes on disk for pieces in the trash
	Garbage  int64       // bytes on disk that wait for compaction
	Free     int64       // bytes that new pieces may take: by capacity and by what the disk has beyond its reserve
	Dirs     []DirStatus // one for each directory
}

// DirStatus describes one directory of a store.
type DirStatus struct {
	Path     string
	Capacity int64
	Used     int64
	Free     int64
	Fault    string // empty: serving
}

// CheckReport is the result of Store.Check.
type CheckReport struct {
	Pieces  int64 // read in full
	Bytes   int64
	Damaged []Info   // pieces whose bytes do not match their checksums
	Faults  []string // counters or index entries that disagree with the logs, in words
}

// OK says whether nothing was found.
func (r CheckReport) OK() bool { return len(r.Damaged) == 0 && len(r.Faults) == 0 }
