package metabase

import (
	"context"

	"storj/metainfo"
	"storj/metainfo/kv"
)

// CreateAPIKey stores a key; its Created is set when zero. A revoked key's name may be taken again.
//
// Errors: metainfo.ErrName, metainfo.ErrProjectNotFound, metainfo.ErrKeyExists.
func (db *DB) CreateAPIKey(ctx context.Context, key metainfo.APIKeyRecord) error {
	if err := metainfo.CheckName(key.Name); err != nil {
		return err
	}
	if key.Created.IsZero() {
		key.Created = now()
	}
	return db.update(ctx, "create API key", func(tx kv.Tx) error {
		if _, err := getProject(tx, key.Project); err != nil {
			return err
		}
		old, err := keyByName(tx, key.Project, key.Name)
		if err == nil && !old.Revoked {
			return metainfo.ErrKeyExists
		}
		if err := orElse(err, nil); err != nil {
			return err
		}
		name := nameKey{key.Project, key.Name}
		if err := (tables{}).keyNames().Put(tx, name, &hashRow{key.Head}); err != nil {
			return err
		}
		return tables{}.keys().Put(tx, key.Head, &keyRow{key})
	})
}

// keyByName may return kv.ErrNotFound.
func keyByName(tx kv.Tx, project metainfo.ProjectID, name string) (metainfo.APIKeyRecord, error) {
	head, err := tables{}.keyNames().Get(tx, nameKey{project, name})
	if err != nil {
		return metainfo.APIKeyRecord{}, err
	}
	row, err := tables{}.keys().Get(tx, head.hash)
	row.Head = head.hash
	return row.APIKeyRecord, err
}

// APIKey returns the record of a head, also of a revoked key, and whether one of the tails was revoked.
//
// Errors: metainfo.ErrAPIKey if the head is not known.
func (db *DB) APIKey(ctx context.Context, head [32]byte, tails ...[32]byte) (
	key metainfo.APIKeyRecord, tailRevoked bool, err error,
) {
	err = db.view(ctx, "get API key", func(tx kv.Tx) error {
		tailRevoked = false
		row, err := tables{}.keys().Get(tx, head)
		if err != nil {
			return orElse(err, metainfo.ErrAPIKey)
		}
		key = row.APIKeyRecord
		key.Head = head
		for _, tail := range tails {
			revoked, err := tables{}.revocations().Has(tx, tail)
			if err != nil {
				return err
			}
			tailRevoked = tailRevoked || revoked
		}
		return nil
	})
	return key, tailRevoked, err
}

// APIKeys returns the keys of a project, in order of name; of keys that shared a name, the last.
// Errors: metainfo.ErrProjectNotFound.
func (db *DB) APIKeys(ctx context.Context, project metainfo.ProjectID) (list []metainfo.APIKeyRecord, err error) {
	err = db.view(ctx, "list API keys", func(tx kv.Tx) error {
		list = nil
		if _, err := getProject(tx, project); err != nil {
			return err
		}
		names := tables{}.keyNames()
		return names.Scan(tx, names.Prefix(project[:]), func(_ nameKey, head *hashRow) (bool, error) {
			row, err := tables{}.keys().Get(tx, head.hash)
			row.Head = head.hash
			list = append(list, row.APIKeyRecord)
			return true, err
		})
	})
	return list, err
}

// RevokeAPIKey ends a key by name. It may be repeated. Errors: metainfo.ErrKeyNotFound.
func (db *DB) RevokeAPIKey(ctx context.Context, project metainfo.ProjectID, name string) (
	key metainfo.APIKeyRecord, err error,
) {
	err = db.update(ctx, "revoke API key", func(tx kv.Tx) (err error) {
		key, err = keyByName(tx, project, name)
		if err != nil {
			return orElse(err, metainfo.ErrKeyNotFound)
		}
		key.Revoked = true
		return tables{}.keys().Put(tx, key.Head, &keyRow{key})
	})
	return key, err
}
