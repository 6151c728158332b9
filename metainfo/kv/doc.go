// Package kv is an ordered key-value store with serializable transactions.
//
// A Store runs functions on a Tx: View sees one snapshot, Update reads and writes and is durable when it returns nil.
// A Cursor walks keys in order, both ways, and skips. A Table is the rows of one kind: a prefix, a key codec and a
// wire.Message.
//
//	var users = kv.NewTable[UserID, userRow, *userRow]("users/", userKey)
//
//	err := store.Update(ctx, func(tx kv.Tx) error {
//		u, err := users.Get(tx, id)
//		if err != nil {
//			return err
//		}
//		u.Logins++
//		return users.Put(tx, id, &u)
//	})
//
// Rooms:
//
//	boltkv   the engine on one file, for one process
//	memkv    the engine in memory, for tests and for networks that need not last
//	ordered  the sorted map with cheap snapshots that both engines stand on
//	kvtest   the suite that every engine passes
//
// # What engines promise
//
// Transactions are serializable: the outcome is that of some order in which they ran alone. The function given to
// Update may run more than once, so it must have no effect but on its Tx and on variables that it sets anew in each
// run. It runs on the goroutine of the caller. It must not wait for anything but its Tx, nor call the Store: others
// may be waiting behind it. When it returns an error, panics or ends its goroutine, nothing of it is kept.
//
// # Ownership
//
// Put and Delete copy what they are given. What Get and a Cursor return is read only and dies with the transaction;
// a Cursor's key and value die with its next move. Table copies before it decodes, so its rows live on.
//
// # Concurrency
//
// A Store may be used by many goroutines. A Tx and its cursors belong to the function's goroutine. A Cursor sees the
// writes of its own transaction, also those made after it was opened.
//
// # FORMAT
//
// Keys that start with a zero byte belong to this package. There is one: 00 "format" holds what Claim wrote, as
// wire.Message with the fields 1 name (string) and 2 version (uint). Example, ("metabase", 1):
// 0a 08 6d 65 74 61 62 61 73 65 10 01.
//
// # FORMAT: dump
//
// What Dump writes: the rows of all keys, ascending, each as
//
//	SIZE      FIELD
//	uvarint   size of the key, 1 to MaxKeySize
//	          key
//	uvarint   size of the value, 0 to MaxValueSize
//	          value
//
// then a zero byte and the uvarint of how many rows there were. There is no checksum: who keeps a dump seals it. Example,
// a=xyz and bc empty: 01 61 03 78 79 7a 02 62 63 00 00 02. It is of rows, not of pages: it leaves free pages out, notices
// damaged ones, and moves a store to another engine.
//
// # Why
//
// Everything above is written once for an embedded file and for an SQL server, and the only thing that both do well
// without a second query language is ordered keys. Limits on sizes are those of the narrowest engine that is meant to
// fit: a B-tree page of PostgreSQL bounds an indexed key unless the engine hashes long ones, hence few keys are long.
package kv
