//go:build unix

package resume

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock locks a file for this process until it is closed, or says that somebody else has.
func tryLock(f *os.File) bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }
