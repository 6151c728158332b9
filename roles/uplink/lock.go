package uplink

import (
	"context"
	"fmt"
	"time"

	"storj/metainfo"
)

// RetentionMode says who may delete a version of an object before its time.
type RetentionMode int

// The modes of retention.
const (
	NoRetention RetentionMode = 0
	Governance  RetentionMode = 1 // whoever may bypass it
	Compliance  RetentionMode = 2 // nobody
)

// String names the mode: none, governance, compliance.
func (m RetentionMode) String() string { return metainfo.RetentionMode(m).String() }

// Retention protects a version of an object until a time, in buckets with object lock. The zero Retention protects
// nothing.
type Retention struct {
	Mode  RetentionMode
	Until time.Time
}

// Active says whether the version is protected at a time.
func (r Retention) Active(at time.Time) bool { return r.Mode != NoRetention && at.Before(r.Until) }

func (r Retention) verify() error {
	if r.Mode < NoRetention || r.Mode > Compliance || (r.Mode == NoRetention) != r.Until.IsZero() {
		return fmt.Errorf("%w: a mode and a time belong together", ErrRetentionInvalid)
	}
	return nil
}

func (r Retention) record() metainfo.Retention {
	return metainfo.Retention{Mode: metainfo.RetentionMode(r.Mode), Until: r.Until}
}

func retentionOf(r metainfo.Retention) Retention {
	return Retention{Mode: RetentionMode(r.Mode), Until: r.Until}
}

// LockOptions says which version is meant. The zero value, and nil, is the latest.
type LockOptions struct {
	Version string
	// BypassGovernance weakens or removes a retention of mode Governance, with an access that permits it.
	BypassGovernance bool
}

// SetRetention protects a version of an object, longer than before; or, with the zero Retention, no more. What is in mode
// Compliance can only be made longer.
//
// Errors: ErrObjectNotFound, ErrObjectLockDisabled, ErrRetentionInvalid, ErrObjectLocked, ErrPermissionDenied.
func (p *Project) SetRetention(ctx context.Context, bucket, key string, retention Retention, opts *LockOptions) error {
	const op = "set retention"
	if err := retention.verify(); err != nil {
		return wrap(op, err)
	}
	return p.setLock(ctx, op, bucket, key, opts, metainfo.SetLockRequest{SetRetention: true, Retention: retention.record()})
}

// SetLegalHold protects a version of an object without end, or no more. It is independent of retention.
//
// Errors: ErrObjectNotFound, ErrObjectLockDisabled, ErrPermissionDenied.
func (p *Project) SetLegalHold(ctx context.Context, bucket, key string, hold bool, opts *LockOptions) error {
	return p.setLock(ctx, "set legal hold", bucket, key, opts, metainfo.SetLockRequest{SetHold: true, LegalHold: hold})
}

func (p *Project) setLock(ctx context.Context, op, bucket, key string, opts *LockOptions, req metainfo.SetLockRequest) error {
	if opts == nil {
		opts = &LockOptions{}
	}
	return p.do(ctx, op, func(ctx context.Context) error {
		t, err := p.locateVersion(ctx, bucket, key, opts.Version)
		if err != nil {
			return err
		}
		req.Auth, req.Bucket, req.Key, req.Version = p.auth(), t.bucket, t.encrypted, t.version
		req.BypassGovernance = opts.BypassGovernance
		_, err = call(ctx, p.standalone(), noResult(p.meta.SetLock), &req)
		return p.found(bucket, err)
	})
}
