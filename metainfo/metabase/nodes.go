package metabase

import (
	"context"
	"errors"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/netx"
)

// Node is what the satellite knows of a node that has joined.
type Node struct {
	ID          netx.NodeID
	Alias       metainfo.NodeAlias // never given twice, never 0
	Address     string             // host:port for uplinks and the satellite
	Domain      string             // failure domain named by its owner
	Version     string
	Capacity    int64 // bytes given
	Used        int64
	Free        int64
	Joined      time.Time
	LastContact time.Time
	Leaving     bool     // it said that it is about to stop
	Exiting     bool     // its owner wants it to leave the network for good
	Invited     bool     // it joined by a token, not merely because everybody may
	Tags        []string // name=value, as its owner says; sorted
	Accepted    []string // tags that the satellite's owner accepted by hand; sorted
	Faults      []string // of its disks, in words
}

// aliasCounter counts the aliases given.
const aliasCounter = "alias"

// PutNode changes a node's record, or makes one: change is given the stored record, or one with only ID, Alias and
// Joined set. It must leave these as they are, and may run more than once. An error of change leaves nothing.
func (db *DB) PutNode(ctx context.Context, id netx.NodeID, change func(n *Node, joins bool) error) (Node, error) {
	var node Node
	err := db.update(ctx, "put node", func(tx kv.Tx) (err error) {
		node, err = putNode(tx, id, change)
		return err
	})
	if err == nil {
		db.remember(node.ID, node.Alias)
	}
	return node, err
}

func putNode(tx kv.Tx, id netx.NodeID, change func(n *Node, joins bool) error) (Node, error) {
	row, err := tables{}.nodes().Get(tx, id)
	joins := errors.Is(err, kv.ErrNotFound)
	if joins {
		row.Joined = now()
		row.Alias, err = newAlias(tx, id)
	}
	if err != nil {
		return Node{}, err
	}
	row.ID = id
	if err := change(&row.Node, joins); err != nil {
		return Node{}, err
	}
	return row.Node, tables{}.nodes().Put(tx, id, &row)
}

func newAlias(tx kv.Tx, id netx.NodeID) (metainfo.NodeAlias, error) {
	counter, err := tables{}.counters().Get(tx, aliasCounter)
	if err := orElse(err, nil); err != nil {
		return 0, err
	}
	counter.n++
	if counter.n > 1<<32-1 {
		return 0, errors.New("node aliases are used up")
	}
	if err := (tables{}).counters().Put(tx, aliasCounter, &counter); err != nil {
		return 0, err
	}
	alias := metainfo.NodeAlias(counter.n)
	return alias, tables{}.aliases().Put(tx, alias, &hashRow{hash(id)})
}

// Node returns a node. Errors: ErrNode.
func (db *DB) Node(ctx context.Context, id netx.NodeID) (node Node, err error) {
	err = db.view(ctx, "get node", func(tx kv.Tx) error {
		row, err := tables{}.nodes().Get(tx, id)
		node = row.Node
		node.ID = id
		return orElse(err, ErrNode)
	})
	return node, err
}

// Nodes returns all nodes that ever joined, in order of ID.
func (db *DB) Nodes(ctx context.Context) (list []Node, err error) {
	err = db.view(ctx, "list nodes", func(tx kv.Tx) error {
		list = nil
		table := tables{}.nodes()
		return table.Scan(tx, table.All(), func(id netx.NodeID, row *nodeRow) (bool, error) {
			row.ID = id
			list = append(list, row.Node)
			return true, nil
		})
	})
	return list, err
}

// Aliases returns the alias of each node, in the same order. What was asked once is answered from memory.
//
// Errors: ErrNode if one is not known.
func (db *DB) Aliases(ctx context.Context, ids []netx.NodeID) ([]metainfo.NodeAlias, error) {
	return lookup(ids, db.cachedAlias, func(id netx.NodeID) (metainfo.NodeAlias, error) {
		n, err := db.Node(ctx, id)
		if err == nil {
			db.remember(id, n.Alias)
		}
		return n.Alias, err
	})
}

// NodeIDs returns the node of each alias, in the same order. What was asked once is answered from memory.
//
// Errors: ErrNode if one was never given.
func (db *DB) NodeIDs(ctx context.Context, aliases []metainfo.NodeAlias) ([]netx.NodeID, error) {
	return lookup(aliases, db.cachedNode, func(alias metainfo.NodeAlias) (id netx.NodeID, err error) {
		err = db.view(ctx, "get alias", func(tx kv.Tx) error {
			row, err := tables{}.aliases().Get(tx, alias)
			id = netx.NodeID(row.hash)
			return orElse(err, ErrNode)
		})
		if err == nil {
			db.remember(id, alias)
		}
		return id, err
	})
}

// lookup answers each of the list from cached, else from load.
func lookup[K, V any](list []K, cached func(K) (V, bool), load func(K) (V, error)) ([]V, error) {
	out := make([]V, len(list))
	for i, k := range list {
		v, ok := cached(k)
		if !ok {
			var err error
			if v, err = load(k); err != nil {
				return nil, err
			}
		}
		out[i] = v
	}
	return out, nil
}

func (db *DB) cachedAlias(id netx.NodeID) (metainfo.NodeAlias, bool) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	alias, ok := db.aliasOf[id]
	return alias, ok
}

func (db *DB) cachedNode(alias metainfo.NodeAlias) (netx.NodeID, bool) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	id, ok := db.nodeOf[alias]
	return id, ok
}

// remember keeps an alias in memory; there are as many as nodes that ever joined.
func (db *DB) remember(id netx.NodeID, alias metainfo.NodeAlias) {
	if _, ok := db.cachedAlias(id); ok {
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.aliasOf[id], db.nodeOf[alias] = alias, id
}
