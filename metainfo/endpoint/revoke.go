package endpoint

import (
	"context"
	"fmt"
	"slices"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// RevokeAPIKey ends a key that was made from the caller's, and all that were made from it.
//
// A key cannot end itself: what is handed to many would be ended by the first who likes to. A key that is not genuine,
// one of another project and one that is not a descendant are all the same to whoever asks.
func (e *Endpoint) RevokeAPIKey(ctx context.Context, req *metainfo.RevokeAPIKeyRequest) error {
	c, err := e.gate.identify(ctx, req.Auth)
	if err != nil {
		return err
	}
	key, err := macaroon.ParseBytes(req.APIKey)
	if err != nil || key.Validate(c.secret[:]) != nil {
		return metainfo.ErrNotParent
	}
	tails := key.Tails(c.secret[:])
	if !slices.Contains(tails[:len(tails)-1], c.key.Tail()) {
		return metainfo.ErrNotParent
	}
	if err := e.db.RevokeTail(ctx, key.Tail(), time.Now().UTC()); err != nil {
		return fmt.Errorf("revoke API key: %w", err)
	}
	e.gate.forgetHead(key.Head())
	return nil
}
