package contact

import (
	"context"
	"fmt"
	"time"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// Join redeems a token and keeps its satellite. A satellite that does not answer is asked again for some seconds.
//
// For one that is joined already it redeems nothing and says so in the log; if the satellite has another address now, that
// is kept. Errors: pieces.ErrToken; ErrTooMany; netx.ErrUnreachable, ErrIdentity and others of the call.
func (c *Contact) Join(ctx context.Context, token pieces.JoinToken) error {
	if c.hold(token) {
		c.log.Info().Stringer("node", token.Satellite.ID).Msg("satellite joined already: token not used")
		return c.move(token.Satellite)
	}
	if err := c.redeemPatiently(ctx, token); err != nil {
		return fmt.Errorf("join satellite %s: %w", token.Satellite, err)
	}
	if err := c.save(fileEntry{URL: token.Satellite, Joined: c.opts.Now().UTC()}); err != nil {
		return fmt.Errorf("join satellite %s: %w", token.Satellite, err)
	}
	c.log.Info().Stringer("node", token.Satellite.ID).Str("address", token.Satellite.Address).Msg("satellite joined")
	return nil
}

// Add keeps a satellite which takes nodes without a token. One that is known already is given its new address.
func (c *Contact) Add(url netx.NodeURL) error {
	if err := netx.CheckAddress(url.Address); err != nil || url.ID.IsZero() {
		return fmt.Errorf("add satellite: %w: %s", netx.ErrNodeURL, url)
	}
	c.mu.RLock()
	_, known := c.satellites[url.ID]
	c.mu.RUnlock()
	if known {
		return c.move(url)
	}
	return c.save(fileEntry{URL: url, Joined: c.opts.Now().UTC()})
}

// hold keeps the token for a satellite that is known already, in case that it does not know us any more.
func (c *Contact) hold(token pieces.JoinToken) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, known := c.satellites[token.Satellite.ID]
	if known {
		s.token = &token
	}
	return known
}

// move keeps the new address of a known satellite.
func (c *Contact) move(url netx.NodeURL) error {
	c.mu.RLock()
	entry := c.satellites[url.ID].entry
	c.mu.RUnlock()
	if entry.URL == url {
		return nil
	}
	entry.URL = url
	return c.save(entry)
}

func (c *Contact) redeemPatiently(ctx context.Context, token pieces.JoinToken) error {
	var retry backoff
	for deadline := time.Now().Add(joinPatience); ; {
		err := c.redeem(ctx, token)
		wait := retry.next()
		if netx.CodeOf(err) != netx.Unavailable || time.Now().Add(wait).After(deadline) {
			return err
		}
		c.log.Warn().Stringer("node", token.Satellite.ID).Err(err).Msg("satellite does not answer, trying again")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (c *Contact) redeem(ctx context.Context, token pieces.JoinToken) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c.opts.Pool.Forget(token.Satellite.ID)
	return c.opts.Pool.CallWith(ctx, rpc.CallOptions{
		Peer: token.Satellite, Purpose: netx.Control, Method: pieces.MethodJoin, Idempotent: true,
	}, &pieces.JoinRequest{Secret: token.Secret}, new(pieces.Empty), pieces.Errors())
}
