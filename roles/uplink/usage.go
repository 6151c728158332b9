package uplink

import (
	"context"

	"storj/metainfo"
)

// Usage is what a project uses, and what it may use. Storage, objects and segments are counted from time to time, and
// what was written since is added.
type Usage struct {
	Storage  int64 // bytes of content
	Objects  int64
	Segments int64
	Buckets  int64
	Egress   int64 // bytes downloaded this calendar month, UTC
	Limits   Limits
}

// Limits is what a project may use. Zero: as much as there is.
type Limits struct {
	Storage  int64 // bytes of content
	Objects  int64
	Segments int64
	Buckets  int64
	Egress   int64 // bytes in a calendar month, UTC
	Rate     int64 // requests in a second
	Burst    int64 // requests at once
}

// Usage returns what the project uses.
func (p *Project) Usage(ctx context.Context) (usage *Usage, err error) {
	err = p.do(ctx, "usage", func(ctx context.Context) error {
		got, err := call(ctx, p.standalone(), p.meta.ProjectUsage, &metainfo.ProjectUsageRequest{Auth: p.auth()})
		if err != nil {
			return err
		}
		l := &got.Limits
		usage = &Usage{
			Storage: got.Storage, Objects: got.Objects, Segments: got.Segments, Buckets: got.Buckets, Egress: got.Egress,
			Limits: Limits{
				Storage: l.Storage, Objects: l.Objects, Segments: l.Segments, Buckets: l.Buckets, Egress: l.Egress,
				Rate: l.Rate, Burst: l.Burst,
			},
		}
		return nil
	})
	return usage, err
}
