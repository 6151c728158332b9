package metabase

// SetBatch bounds what one transaction of a long job removes or looks at, for tests that want many of them. It is called
// before the DB is used.
func (db *DB) SetBatch(rows int) { db.batch = rows }
