package limits

import (
	"context"
	"errors"

	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/metabase"
)

// Limits is what the owner does. A project is named by its name or by its ID in hex.
type Limits interface {
	// Usage says what a project uses and may use. Errors: metainfo.ErrProjectNotFound.
	Usage(ctx context.Context, project string) (*metainfo.ProjectUsage, error)
	// SetLimits replaces what a project may use; zero is as much as there is. Errors: metainfo.ErrProjectNotFound.
	SetLimits(ctx context.Context, project string, l metainfo.Limits) error
}

// Options says what a Direct works on.
type Options struct {
	DB       *metabase.DB
	Endpoint *endpoint.Endpoint // that counts; one of the same database that serves nobody will do
}

// Direct is the Limits on the database.
type Direct struct{ opts Options }

var _ Limits = (*Direct)(nil)

// New returns Limits on a database, which stays the caller's.
func New(opts Options) *Direct { return &Direct{opts} }

// Usage says what a project uses and may use.
func (d *Direct) Usage(ctx context.Context, project string) (*metainfo.ProjectUsage, error) {
	p, err := d.project(ctx, project)
	if err != nil {
		return nil, err
	}
	return d.opts.Endpoint.UsageOf(ctx, &p)
}

// SetLimits replaces what a project may use.
func (d *Direct) SetLimits(ctx context.Context, project string, l metainfo.Limits) error {
	p, err := d.project(ctx, project)
	if err != nil {
		return err
	}
	if err := d.opts.DB.SetProjectLimits(ctx, p.ID, l); err != nil {
		return err
	}
	d.opts.Endpoint.ForgetKeys() // they are remembered with their project
	return nil
}

func (d *Direct) project(ctx context.Context, nameOrID string) (metainfo.Project, error) {
	p, err := d.opts.DB.ProjectByName(ctx, nameOrID)
	if !errors.Is(err, metainfo.ErrProjectNotFound) {
		return p, err
	}
	var id metainfo.ProjectID
	if id.UnmarshalText([]byte(nameOrID)) != nil {
		return p, err
	}
	return d.opts.DB.Project(ctx, id)
}
