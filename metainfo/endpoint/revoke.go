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
// Whoever holds a key may take back what was made from it, whatever else that key allows: who takes it back must show
// it, and it can do nothing that the key itself cannot. A key cannot end itself: what is handed to many would be ended by
// the first who likes to. A key that is not genuine, one of another project and one that is not a descendant are all the
// same to whoever asks. A revocation is kept until the revoked key would have ended by itself.
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
	until := endOf(key)
	if !until.IsZero() && until.Before(c.now) {
		return nil // it has ended by itself
	}
	if err := e.db.RevokeTail(ctx, key.Tail(), c.now.UTC(), until); err != nil {
		return fmt.Errorf("revoke API key: %w", err)
	}
	e.gate.forgetHead(key.Head())
	return nil
}

// endOf is when a key ends by itself; zero: never, or it has a caveat that a later version may know.
func endOf(key *macaroon.APIKey) (end time.Time) {
	caveats, err := key.Caveats()
	if err != nil {
		return time.Time{}
	}
	for i := range caveats {
		if t := caveats[i].NotAfter; !t.IsZero() && (end.IsZero() || t.Before(end)) {
			end = t
		}
	}
	return end
}
