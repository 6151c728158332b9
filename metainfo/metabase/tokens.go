package metabase

import (
	"context"
	"slices"
	"time"

	"storj/metainfo/kv"
	"storj/netx"
)

// MaxTokenUses is the most nodes that one join token admits.
const MaxTokenUses = 1000

// JoinToken admits nodes to the satellite. The secret that its holder shows is known here by its hash only.
type JoinToken struct {
	Hash     [32]byte
	Note     string // what it was made for; at most 100 bytes
	Created  time.Time
	Expires  time.Time // zero: never
	UsesLeft int       // 1 to MaxTokenUses when made
	Admitted []netx.NodeID
}

// CreateToken stores a token; its Created is set when zero. Errors: ErrToken if its uses are out of bounds.
func (db *DB) CreateToken(ctx context.Context, token JoinToken) error {
	if token.UsesLeft < 1 || token.UsesLeft > MaxTokenUses || len(token.Note) > 100 {
		return ErrToken
	}
	if token.Created.IsZero() {
		token.Created = now()
	}
	token.Admitted = nil
	return db.update(ctx, "create join token", func(tx kv.Tx) error {
		return tables{}.tokens().Put(tx, token.Hash, &tokenRow{token})
	})
}

// RedeemToken admits a node and takes one use of the token, in one transaction. A node that it has admitted before
// takes no other use: answers may be lost. A token is not needed, nor used, by a node that is known already.
//
// change is as for PutNode. Errors: ErrToken.
func (db *DB) RedeemToken(
	ctx context.Context, tokenHash [32]byte, id netx.NodeID, change func(n *Node, joins bool) error,
) (node Node, err error) {
	at := now()
	err = db.update(ctx, "redeem join token", func(tx kv.Tx) error {
		known, err := tables{}.nodes().Has(tx, id)
		if err != nil {
			return err
		}
		if !known {
			if err := useToken(tx, tokenHash, id, at); err != nil {
				return err
			}
		}
		node, err = putNode(tx, id, change)
		return err
	})
	if err == nil {
		db.remember(node.ID, node.Alias)
	}
	return node, err
}

func useToken(tx kv.Tx, tokenHash hash, id netx.NodeID, at time.Time) error {
	row, err := tables{}.tokens().Get(tx, tokenHash)
	if err != nil {
		return orElse(err, ErrToken)
	}
	if slices.Contains(row.Admitted, id) {
		return nil
	}
	if row.UsesLeft < 1 || !row.Expires.IsZero() && !row.Expires.After(at) {
		return ErrToken
	}
	row.UsesLeft--
	row.Admitted = append(row.Admitted, id)
	return tables{}.tokens().Put(tx, tokenHash, &row)
}

// Tokens returns all tokens, in order of hash.
func (db *DB) Tokens(ctx context.Context) (list []JoinToken, err error) {
	err = db.view(ctx, "list join tokens", func(tx kv.Tx) error {
		list = nil
		table := tables{}.tokens()
		return table.Scan(tx, table.All(), func(k hash, row *tokenRow) (bool, error) {
			row.Hash = k
			list = append(list, row.JoinToken)
			return true, nil
		})
	})
	return list, err
}

// DeleteToken removes a token, which need not be there; the nodes that it admitted stay.
func (db *DB) DeleteToken(ctx context.Context, tokenHash [32]byte) error {
	return db.update(ctx, "delete join token", func(tx kv.Tx) error {
		return tables{}.tokens().Delete(tx, tokenHash)
	})
}
