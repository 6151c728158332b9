package admin

import (
	"context"
	"fmt"
	"time"

	"storj/roles/satellite/placement"
)

// fullWarning is the share of nodes without space, in percent, from which the owner is warned.
const fullWarning = 10

// Status says how the satellite is. It adds up all objects: some 100 ms for each 100,000.
func (d *Direct) Status(ctx context.Context) (*Status, error) {
	counts, err := d.opts.DB.Counts(ctx)
	if err != nil {
		return nil, err
	}
	totals, err := d.opts.DB.BucketTotals(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := d.opts.DB.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	directory := d.directory(rows)
	snapshot := directory.Snapshot()
	scheme := d.opts.Profile.For(snapshot.Domains())
	s := &Status{
		Satellite: d.opts.Satellite, Version: d.opts.Version, Running: d.opts.Live != nil,
		Projects: int64(counts.Projects), Buckets: int64(counts.Buckets),
		Nodes: int64(len(rows)), Online: int64(snapshot.Online()), Domains: int64(snapshot.Domains()),
		Redundancy: scheme.String(), Auto: d.opts.Profile.IsAuto(),
		DBBytes: d.opts.DB.Store().Stats().SizeBytes,
	}
	if d.opts.Live != nil {
		s.Uptime = time.Since(d.opts.Live.Started).Truncate(time.Second)
	}
	for _, t := range totals {
		s.Objects += t.Objects
		s.Segments += t.Segments
		s.Bytes += t.PlainSize
	}
	s.Warnings = warnings(s, directory)
	if scheme.Total > 1 && snapshot.Domains() < min(scheme.Repair+1, scheme.Optimal) {
		s.Warnings = append(s.Warnings, fmt.Sprintf("uploads fail: %s needs %d nodes in separate failure domains, there are %d",
			scheme, min(scheme.Repair+1, scheme.Optimal), snapshot.Domains()))
	}
	return s, nil
}

// warnings says in words what the owner should know or do.
func warnings(s *Status, directory *placement.Directory) (list []string) {
	if !reachable(s.Satellite.Address) {
		list = append(list, ErrAddress.Error())
	}
	switch {
	case s.Nodes == 0:
		list = append(list, "no storage node has joined yet: make a token with `storj satellite invite`")
	case s.Online == 0:
		list = append(list, "no storage node is online: nothing but tiny objects can be stored or read")
	case s.Domains == 0:
		list = append(list, "every node that is online is full: nothing but tiny objects can be stored")
	case s.Domains == 1 && s.Auto:
		list = append(list, "one place to store: there is NO redundancy, and losing it loses the data")
	}
	if offline := s.Nodes - s.Online; offline > 0 && s.Online > 0 {
		list = append(list, fmt.Sprintf("%d of %d nodes are offline", offline, s.Nodes))
	}
	var full int
	for _, node := range directory.Nodes() {
		if !directory.HasRoom(node) {
			full++
		}
	}
	if full > 0 && int64(full)*100 >= s.Nodes*fullWarning {
		list = append(list, fmt.Sprintf("%d of %d nodes have no space left", full, s.Nodes))
	}
	return list
}
