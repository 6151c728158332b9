package boltkv

import (
	"math"

	bolt "go.etcd.io/bbolt"
)

// Deleting writes pages too: a tree is changed by writing its new pages beside the old ones. So transactions that
// grow the store are refused while there is still room for those that shrink it.

const (
	defaultReserve = 64 << 20 // bytes
	// limitReserve is the part of MaxSize that is kept for shrinking.
	limitReserve = 8
)

// tight says whether there is room only for transactions that free more than they write.
func (s *Store) tight(tx *bolt.Tx) bool {
	info := s.db.Info()
	free := int64(s.db.Stats().FreePageN) * int64(info.PageSize)
	if s.maxSize > 0 && s.maxSize-tx.Size()+free < s.maxSize/limitReserve {
		return true
	}
	disk, err := diskFree(s.path)
	if err != nil {
		disk = math.MaxInt64 - free // not known: a failed commit will tell
	}
	return disk+free < s.reserve
}
