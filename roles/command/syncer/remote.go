package syncer

import (
	"context"
	"strings"

	"storj/roles/command/location"
	"storj/roles/command/transfer"
	"storj/roles/uplink"
)

// Remote lists the objects under a prefix, which ends in "/" or is a whole bucket: all of them are asked for before it
// returns. The listing must be gone through, or nothing frees its files; they are in spillDir, or in the system's
// directory for temporary files if that is empty.
//
// hidden is how many names did not decrypt and are not listed. Errors: those of the listing and of the disk.
func Remote(ctx context.Context, p *uplink.Project, prefix location.Location, spillDir string) (list Listing, hidden int, err error) {
	s := &sorter{dir: spillDir, memory: sorterMemory}
	it := p.List(ctx, prefix.Bucket, &uplink.ListOptions{Prefix: prefix.Key, Recursive: true, Custom: true})
	for it.Next() {
		if err := s.add(entryOf(it.Item(), prefix.Key)); err != nil {
			s.close()
			return nil, 0, err
		}
	}
	if it.Err() != nil {
		s.close()
		return nil, 0, it.Err()
	}
	return s.sorted(), it.Hidden(), nil
}

func entryOf(o *uplink.Object, prefix string) Entry {
	e := Entry{Key: strings.TrimPrefix(o.Key, prefix), Size: o.Size, Created: o.Created.UnixNano()}
	if modified, ok := transfer.Modified(o.Custom); ok {
		e.Modified = modified.UnixNano()
	}
	if hash, ok := transfer.Hash(o.Custom); ok {
		e.Hash = string(hash[:])
	}
	return e
}
