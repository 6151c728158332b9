package metabase_test

import (
	"maps"
	"slices"
	"time"

	"storj/metainfo"
)

// shelf is a bucket as the S3 manual tells it, in the plainest way: the reference of TestModel. Versions that have expired
// are taken off it by tidy.
type shelf struct {
	metainfo.Bucket
	rules []metainfo.LifecycleRule
	keys  map[string][]*copyOnShelf // newest first
}

type copyOnShelf struct {
	metainfo.Object
	content string
	placed  time.Time // on this shelf
}

func newShelf(b metainfo.Bucket) *shelf {
	return &shelf{Bucket: b, keys: map[string][]*copyOnShelf{}}
}

func (s *shelf) tidy(at time.Time) {
	for key, list := range s.keys {
		s.set(key, slices.DeleteFunc(list, func(v *copyOnShelf) bool {
			return !v.Expires.IsZero() && !v.Expires.After(at)
		}))
	}
}

func (s *shelf) set(key string, list []*copyOnShelf) {
	if s.keys[key] = list; len(list) == 0 {
		delete(s.keys, key)
	}
}

func (s *shelf) current(key string) *copyOnShelf {
	if list := s.keys[key]; len(list) > 0 {
		return list[0]
	}
	return nil
}

func (s *shelf) null(key string) *copyOnShelf {
	for _, v := range s.keys[key] {
		if v.Null {
			return v
		}
	}
	return nil
}

// version finds what a request names, markers too.
func (s *shelf) version(key string, version uint64) *copyOnShelf {
	switch version {
	case metainfo.LatestVersion:
		return s.current(key)
	case metainfo.NullVersion:
		return s.null(key)
	}
	for _, v := range s.keys[key] {
		if v.Version == version {
			return v
		}
	}
	return nil
}

// readable is version of what can be read.
func (s *shelf) readable(key string, version uint64) (*copyOnShelf, error) {
	v := s.version(key, version)
	switch {
	case v == nil:
		return nil, metainfo.ErrObjectNotFound
	case v.Marker:
		return nil, metainfo.ErrDeleteMarker
	}
	return v, nil
}

func (s *shelf) remove(key string, gone *copyOnShelf) {
	s.set(key, slices.DeleteFunc(slices.Clone(s.keys[key]), func(v *copyOnShelf) bool { return v == gone }))
}

type wish struct {
	ifAbsent  bool
	ifStream  metainfo.StreamID
	noReplace bool
}

func (s *shelf) grants(key string, w wish) error {
	now := s.current(key)
	exists := now != nil && !now.Marker
	null := s.null(key)
	switch {
	case w.ifAbsent && exists:
		return metainfo.ErrObjectExists
	case !w.ifStream.IsZero() && !exists:
		return metainfo.ErrObjectNotFound
	case !w.ifStream.IsZero() && now.Stream != w.ifStream:
		return metainfo.ErrObjectChanged
	case w.noReplace && s.Versioning != metainfo.VersioningEnabled && null != nil && !null.Marker:
		return metainfo.ErrObjectExists
	}
	return nil
}

// admit settles expiry and protection of a new version.
func (s *shelf) admit(v *copyOnShelf, at time.Time) error {
	if s.TTL > 0 && (v.Expires.IsZero() || v.Expires.After(at.Add(s.TTL))) {
		v.Expires = at.Add(s.TTL)
	}
	protected := v.LegalHold || v.Retention.Mode != metainfo.NoRetention
	if protected && !s.Lock {
		return metainfo.ErrNoLock
	}
	if s.Lock && v.Retention.Mode == metainfo.NoRetention {
		v.Retention = s.Retention.At(at)
	}
	if !v.Expires.IsZero() && (v.LegalHold || v.Retention.Until.After(v.Expires)) {
		return metainfo.ErrRetention
	}
	return nil
}

func (s *shelf) place(key string, v *copyOnShelf, at time.Time) {
	v.Key, v.placed = []byte(key), at
	v.Null = s.Versioning != metainfo.VersioningEnabled
	if old := s.null(key); v.Null && old != nil {
		s.remove(key, old)
	}
	s.set(key, slices.Insert(slices.Clone(s.keys[key]), 0, v))
}

func protected(v *copyOnShelf, at time.Time, bypass bool) bool {
	active := v.Retention.Mode != metainfo.NoRetention && at.Before(v.Retention.Until)
	return v.LegalHold || active && (v.Retention.Mode == metainfo.Compliance || !bypass)
}

// discard is a DELETE request. The versions of made markers are filled in by who learns them.
func (s *shelf) discard(key string, version uint64, ifStream metainfo.StreamID, bypass bool, at time.Time) (
	item metainfo.DeletedItem, marker *copyOnShelf,
) {
	v := s.version(key, version)
	if version == metainfo.LatestVersion && v != nil && v.Marker {
		v = nil
	}
	item.Found = v != nil
	item.Marker = v != nil && v.Marker
	if !ifStream.IsZero() && (v == nil || v.Stream != ifStream) {
		if v != nil {
			item.Reason = metainfo.ErrObjectChanged.Reason
		}
		return item, nil
	}
	if version == metainfo.LatestVersion && s.Versioning != metainfo.Unversioned {
		if null := s.null(key); s.Versioning == metainfo.VersioningSuspended && null != nil && protected(null, at, false) {
			item.Reason = metainfo.ErrLocked.Reason
			return item, nil
		}
		item.Marker = true
		marker = &copyOnShelf{Object: metainfo.Object{Marker: true, Created: at}}
		s.place(key, marker, at)
		return item, marker
	}
	if v == nil {
		return item, nil
	}
	if protected(v, at, bypass) {
		item.Reason = metainfo.ErrLocked.Reason
		return item, nil
	}
	item.Version = v.Version
	s.remove(key, v)
	return item, nil
}

// shield is a request to change the lock of a version.
func (s *shelf) shield(key string, version uint64, retention *metainfo.Retention, hold *bool, bypass bool, at time.Time) error {
	if !s.Lock {
		return metainfo.ErrNoLock
	}
	v, err := s.readable(key, version)
	if err != nil {
		return err
	}
	next := v.Object
	if retention != nil {
		zero := *retention == metainfo.Retention{}
		if !zero && (retention.Mode == metainfo.NoRetention || !retention.Until.After(at)) {
			return metainfo.ErrRetention
		}
		active := v.Retention.Mode != metainfo.NoRetention && at.Before(v.Retention.Until)
		stronger := !zero && retention.Mode >= v.Retention.Mode && !retention.Until.Before(v.Retention.Until)
		if active && !stronger && v.Retention.Mode == metainfo.Compliance {
			return metainfo.ErrRetention
		}
		if active && !stronger && !bypass {
			return metainfo.ErrLocked
		}
		next.Retention = *retention
	}
	if hold != nil {
		next.LegalHold = *hold
	}
	if !v.Expires.IsZero() && (next.LegalHold || next.Retention.Until.After(v.Expires)) {
		return metainfo.ErrRetention
	}
	v.Object = next
	return nil
}

// sweep applies a deletion in the background.
func (s *shelf) sweep(prefix string, all, bypass bool, at time.Time) (objects, bytes, kept int64, markers map[string]*copyOnShelf) {
	markers = map[string]*copyOnShelf{}
	for _, key := range slices.Collect(maps.Keys(s.keys)) {
		list := s.keys[key]
		if len(key) < len(prefix) || key[:len(prefix)] != prefix {
			continue
		}
		if all {
			for _, v := range slices.Clone(list) {
				if protected(v, at, bypass) {
					kept++
					continue
				}
				if !v.Marker {
					objects++
					bytes += v.PlainSize
				}
				s.remove(key, v)
			}
			continue
		}
		v := s.current(key)
		if v.Marker {
			continue
		}
		if null := s.null(key); s.Versioning != metainfo.VersioningEnabled && null != nil && protected(null, at, false) {
			kept++
			continue
		}
		_, marker := s.discard(key, metainfo.LatestVersion, metainfo.StreamID{}, false, at)
		if marker != nil {
			markers[key] = marker
		}
		objects++
		bytes += v.PlainSize
	}
	return objects, bytes, kept, markers
}

// age applies the lifecycle rules once. Markers that it makes get their numbers from who learns them.
func (s *shelf) age(at time.Time) (expired, removed, kept int) {
	days := func(n uint32, from time.Time) bool { return n > 0 && !at.Before(from.AddDate(0, 0, int(n))) }
	for _, key := range slices.Collect(maps.Keys(s.keys)) { // place may take a key away and bring it back
		list := slices.Clone(s.keys[key])
		about := func(r *metainfo.LifecycleRule, v *copyOnShelf) bool {
			if r.Disabled || len(key) < len(r.Prefix) || key[:len(r.Prefix)] != string(r.Prefix) {
				return false
			}
			bounded := r.MinSize != 0 || r.MaxSize != 0
			return !(bounded && v.Marker) && (r.MinSize == 0 || v.PlainSize > r.MinSize) && (r.MaxSize == 0 || v.PlainSize < r.MaxSize)
		}
		any := func(v *copyOnShelf, wants func(*metainfo.LifecycleRule) bool) bool {
			for i := range s.rules {
				if about(&s.rules[i], v) && wants(&s.rules[i]) {
					return true
				}
			}
			return false
		}
		first, stay := list[0], uint32(0)
		switch {
		case first.Marker:
			if len(list) == 1 && any(first, func(r *metainfo.LifecycleRule) bool { return r.ExpireMarkers }) {
				s.remove(key, first)
				removed++
			}
		case any(first, func(r *metainfo.LifecycleRule) bool {
			return days(r.ExpireDays, first.placed) || !r.ExpireAt.IsZero() && !at.Before(r.ExpireAt)
		}):
			null := s.null(key)
			if s.Versioning != metainfo.VersioningEnabled && null != nil && protected(null, at, false) {
				kept++
				break
			}
			s.discard(key, metainfo.LatestVersion, metainfo.StreamID{}, false, at)
			expired++
			if null != nil && null != first && s.Versioning == metainfo.VersioningSuspended { // a null marker took its place
				list = slices.DeleteFunc(list, func(v *copyOnShelf) bool { return v == null })
			}
		}
		replaced := first.placed
		for _, v := range list[1:] {
			from := replaced
			replaced = v.placed
			if !any(v, func(r *metainfo.LifecycleRule) bool { return days(r.NoncurrentDays, from) && stay >= r.NoncurrentKeep }) {
				stay++
				continue
			}
			if protected(v, at, false) {
				stay++
				kept++
				continue
			}
			s.remove(key, v)
			removed++
		}
	}
	return expired, removed, kept
}
