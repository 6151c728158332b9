package logstore

// SetLogSize sets the size at which logs are sealed.
func (o *Options) SetLogSize(bytes int64) { o.logSize = bytes }

// FailIndex makes flushes ask fail first.
func (s *Store) FailIndex(fail func(op string) error) {
	for _, d := range s.dirs {
		d.fail = fail
	}
}

// Names of the files of a directory.
const (
	MarkerName = markerName
	IndexName  = indexName
	LogsName   = logsName
)
