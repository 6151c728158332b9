package uplink

import (
	"context"
	"errors"

	"storj/metainfo"
)

// ObjectUpdate says what of an object is to change. A nil map leaves what is there, an empty one removes it.
type ObjectUpdate struct {
	Version  string // which one; empty: the latest
	Metadata CustomMetadata
	Tags     Tags
}

// UpdateMetadata replaces the custom metadata of an object.
//
// Errors: ErrMetadataInvalid, ErrBucketNotFound, ErrObjectNotFound, ErrObjectChanged, ErrWrongPassphrase.
func (p *Project) UpdateMetadata(ctx context.Context, bucket, key string, custom CustomMetadata) error {
	if custom == nil {
		custom = CustomMetadata{}
	}
	return p.UpdateObject(ctx, bucket, key, ObjectUpdate{Metadata: custom})
}

// UpdateTags replaces the tags of an object.
//
// Errors: as UpdateMetadata.
func (p *Project) UpdateTags(ctx context.Context, bucket, key string, tags Tags) error {
	if tags == nil {
		tags = Tags{}
	}
	return p.UpdateObject(ctx, bucket, key, ObjectUpdate{Tags: tags})
}

// UpdateObject replaces metadata or tags of a version of an object. Its content, Version and Revision stay.
//
// Errors: as UpdateMetadata.
func (p *Project) UpdateObject(ctx context.Context, bucket, key string, update ObjectUpdate) error {
	const op = "update metadata"
	if err := update.Metadata.Verify(); err != nil {
		return err
	}
	if err := update.Tags.Verify(); err != nil {
		return err
	}
	return p.do(ctx, op, func(ctx context.Context) error {
		t, err := p.locateVersion(ctx, bucket, key, update.Version)
		if err != nil {
			return err
		}
		for attempt := 1; ; attempt++ {
			err := p.updateOnce(ctx, t, &update)
			if !errors.Is(err, metainfo.ErrObjectChanged) || attempt == maxChanges {
				return err
			}
		}
	})
}

func (p *Project) updateOnce(ctx context.Context, t target, update *ObjectUpdate) error {
	o, err := p.fetch(ctx, t)
	if err != nil {
		return err
	}
	sealed, err := replaced(o, &CopyOptions{Metadata: update.Metadata, Tags: update.Tags})
	if err != nil {
		return err
	}
	req := &metainfo.UpdateMetadataRequest{
		Auth: p.auth(), Bucket: t.bucket, Key: t.encrypted, Stream: o.record.Stream, Metadata: sealed, Version: t.version,
	}
	_, err = call(ctx, p.standalone(), noResult(p.meta.UpdateMetadata), req)
	return err
}
