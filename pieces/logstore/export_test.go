package logstore

// SetLogSize sets the size at which logs are sealed.
func (o *Options) SetLogSize(bytes int64) { o.logSize = bytes }

// SkipSyncs makes a store on the real disk as fast as one in memory, for tests that do not cut the power.
func (o *Options) SkipSyncs() {
	o.fastIndex = true
	if o.FS == nil {
		o.FS = osFS{}
	}
	o.FS = unsyncedFS{o.FS}
}

type unsyncedFS struct{ FS }

type unsyncedFile struct{ File }

func (u unsyncedFS) OpenFile(path string, create bool) (File, error) {
	f, err := u.FS.OpenFile(path, create)
	return unsyncedFile{f}, err
}

func (unsyncedFS) SyncDir(string) error { return nil }
func (unsyncedFile) Sync() error        { return nil }

// FailIndex makes flushes ask fail first.
func (s *Store) FailIndex(fail func(op string) error) {
	for _, d := range s.list() {
		d.fail = fail
	}
}

// Names of the files of a directory.
const (
	MarkerName = markerName
	IndexName  = indexName
	LogsName   = logsName
)
