package logstore

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"storj/pieces"
)

// view runs fn in a read transaction of the index.
//
// The index is mapped into memory: where its disk is gone, or a page of it cannot be read, the access is a fault of the
// processor. Here it becomes an error, and the directory is given up; the process goes on with the others.
func (d *dir) view(fn func(tx *bbolt.Tx) error) (err error) {
	defer d.caught(&err)()
	return d.db.View(fn)
}

// update runs fn in a write transaction of the index.
func (d *dir) update(fn func(tx *bbolt.Tx) error) (err error) {
	defer d.caught(&err)()
	return d.db.Update(fn)
}

// caught prepares for faults of this goroutine; what it returns is to be deferred.
func (d *dir) caught(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if r := recover(); r != nil {
			fault, isFault := r.(interface{ Addr() uintptr })
			if !isFault {
				panic(r)
			}
			*err = fmt.Errorf("read index at %#x: %w", fault.Addr(), pieces.ErrDisk)
			d.giveUp(*err)
		}
		if errors.Is(*err, bbolterrors.ErrDatabaseNotOpen) { // somebody brings the directory back just now
			*err = fmt.Errorf("read index: %w: %w", *err, pieces.ErrDisk)
		}
	}
}
