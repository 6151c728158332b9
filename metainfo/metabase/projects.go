package metabase

import (
	"context"
	"crypto/rand"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// CreateProject makes a project with a random ID and salt. Errors: metainfo.ErrName, metainfo.ErrProjectExists.
func (db *DB) CreateProject(ctx context.Context, name string) (metainfo.Project, error) {
	if err := metainfo.CheckName(name); err != nil {
		return metainfo.Project{}, err
	}
	row := projectRow{metainfo.Project{ID: metainfo.NewProjectID(), Name: name, Created: now()}}
	_, _ = rand.Read(row.Salt[:]) // never fails
	err := db.update(ctx, "create project", func(tx kv.Tx) error {
		taken, err := tables{}.projectNames().Has(tx, name)
		if err != nil {
			return err
		}
		if taken {
			return metainfo.ErrProjectExists
		}
		if err := (tables{}).projectNames().Put(tx, name, &idRow{row.ID}); err != nil {
			return err
		}
		return tables{}.projects().Put(tx, row.ID, &row)
	})
	return row.Project, err
}

// Project returns a project. Errors: metainfo.ErrProjectNotFound.
func (db *DB) Project(ctx context.Context, id metainfo.ProjectID) (p metainfo.Project, err error) {
	err = db.view(ctx, "get project", func(tx kv.Tx) (err error) {
		p, err = getProject(tx, id)
		return err
	})
	return p, err
}

// ProjectByName returns a project. Errors: metainfo.ErrProjectNotFound.
func (db *DB) ProjectByName(ctx context.Context, name string) (p metainfo.Project, err error) {
	err = db.view(ctx, "get project", func(tx kv.Tx) error {
		row, err := tables{}.projectNames().Get(tx, name)
		if err != nil {
			return orElse(err, metainfo.ErrProjectNotFound)
		}
		p, err = getProject(tx, row.id)
		return err
	})
	return p, err
}

func getProject(tx kv.Tx, id metainfo.ProjectID) (metainfo.Project, error) {
	row, err := tables{}.projects().Get(tx, id)
	row.ID = id
	return row.Project, orElse(err, metainfo.ErrProjectNotFound)
}

// Projects returns all projects, in order of name.
func (db *DB) Projects(ctx context.Context) (list []metainfo.Project, err error) {
	err = db.view(ctx, "list projects", func(tx kv.Tx) error {
		list = nil
		names := tables{}.projectNames()
		return names.Scan(tx, names.All(), func(_ string, row *idRow) (bool, error) {
			p, err := getProject(tx, row.id)
			list = append(list, p)
			return true, err
		})
	})
	return list, err
}

// SetProjectLimits replaces what a project may use. Errors: metainfo.ErrProjectNotFound.
func (db *DB) SetProjectLimits(ctx context.Context, id metainfo.ProjectID, limits metainfo.Limits) error {
	return db.update(ctx, "set project limits", func(tx kv.Tx) error {
		p, err := getProject(tx, id)
		if err != nil {
			return err
		}
		p.Limits = limits
		return tables{}.projects().Put(tx, id, &projectRow{p})
	})
}
