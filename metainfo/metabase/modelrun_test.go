package metabase_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
)

var (
	modelSteps = flag.Int("steps", 0, "how many steps TestModel does; 0: a few")
	modelSeed  = flag.Uint64("seed", 0, "what TestModel starts from; 0: at random")
)

// TestModel does random things to a DB and to shelves, and compares all of both. Its time is virtual.
func TestModel(t *testing.T) {
	t.Parallel()
	steps, seed := *modelSteps, *modelSeed
	switch {
	case steps == 0 && testing.Short():
		steps = 2000
	case steps == 0:
		steps = 20_000
	}
	if seed == 0 {
		seed = rand.Uint64()
	}
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, newWorldOn(t, memkv.New(memkv.Options{RunTwice: true})), seed)
		m.run(steps)
	})
}

// TestModelOnFile is TestModel on the engine that satellites use.
func TestModelOnFile(t *testing.T) {
	t.Parallel()
	m := newModel(t, newBoltWorld(t, false), rand.Uint64())
	m.frozen = true
	m.run(map[bool]int{true: 500, false: 4000}[testing.Short()])
}

// model drives both sides.
type model struct {
	*world
	t       *testing.T
	rnd     *rand.Rand
	frozen  bool // time is real, and not waited for
	shelves map[string]*shelf
	plain   []*modelUpload
	parts   []*modelUpload
	again   []repeat
	did     map[string]int // how often each step was done, and what came of it
}

type modelUpload struct {
	metabase.Upload
	content  string
	count    uint32
	list     map[uint32]metainfo.Part
	contents map[uint32]string
	activity time.Time
	asked    copyOnShelf // what was given at the begin
}

// repeat is a call whose answer was lost.
type repeat struct {
	at   time.Time
	name string
	call func() error
}

func newModel(t *testing.T, w *world, seed uint64) *model {
	t.Logf("seed %d", seed)
	m := &model{world: w, t: t, rnd: rand.New(rand.NewPCG(seed, 0)), shelves: map[string]*shelf{}, did: map[string]int{}}
	m.SetBatch(1 + m.rnd.IntN(pick(m, 4, 30))) // so that long jobs are cut in the middle of a key
	m.makeBucket("bucket-u")
	m.makeBucket("bucket-v")
	m.makeBucket("bucket-l")
	return m
}

func (m *model) makeBucket(name string) {
	b := metainfo.Bucket{Name: name}
	switch name {
	case "bucket-v":
		b.Versioning = metainfo.Versioning(m.rnd.IntN(2))
	case "bucket-l":
		b.Lock, b.Versioning = true, metainfo.VersioningEnabled
	}
	_, err := m.CreateBucket(m.ctx, m.project, b)
	wantErr(m.t, "create bucket", err, nil)
	m.shelves[name] = newShelf(b)
}

func (m *model) run(steps int) {
	actions := []struct {
		weight int
		name   string
		do     func()
	}{
		{20, "put", m.put}, {6, "copy", m.copy}, {10, "delete", m.discard}, {4, "update", m.update},
		{3, "begin", m.begin}, {6, "segment", m.segment}, {4, "commit", m.commit}, {1, "abort", m.abort},
		{2, "begin parts", m.beginParts}, {8, "part", m.part}, {3, "complete", m.complete}, {1, "abort parts", m.abortParts},
		{4, "lock", m.shield}, {1, "settings", m.settings}, {8, "list", m.list}, {8, "read", m.read}, {5, "repeat", m.repeat},
		{1, "deletion", m.deletion}, {1, "lifecycle", m.lifecycle}, {2, "chores", m.chores}, {4, "time", m.pass},
	}
	var turns []int
	for i, a := range actions {
		turns = append(turns, slices.Repeat([]int{i}, a.weight)...)
	}
	for i := range steps {
		m.tidy()
		a := actions[turns[m.rnd.IntN(len(turns))]]
		a.do()
		m.did[a.name]++
		if i%200 == 199 {
			m.compare()
		}
		if m.t.Failed() {
			m.t.Fatalf("at step %d, %s", i, a.name)
		}
	}
	m.compare()
	m.end()
	for _, name := range slices.Sorted(maps.Keys(m.did)) {
		m.t.Logf("%-40s %d", name, m.did[name])
	}
}

func (m *model) tidy() {
	for _, s := range m.shelves {
		s.tidy(time.Now())
	}
}

// note counts what came of a step and compares errors.
func (m *model) note(what string, got, want error) bool {
	m.t.Helper()
	wantErr(m.t, what, got, want)
	m.did[what+": "+fmt.Sprint(errText(want))]++
	return got == nil && want == nil
}

func errText(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func pick[T any](m *model, list ...T) T { return list[m.rnd.IntN(len(list))] }

func (m *model) oneIn(n int) bool { return m.rnd.IntN(n) == 0 }

func (m *model) bucket() *shelf { return m.shelves[pick(m, "bucket-u", "bucket-v", "bucket-l")] }

func (m *model) key() string {
	return pick(m, "a", "a/", "a/b", "b/c/d", "b/c/e", "b/x", "c\x00", "c", "d/\xff", "e", "f/g", "zz")
}

func (m *model) at(s *shelf, key string, version uint64) metabase.ObjectRef {
	return metabase.ObjectRef{Project: m.project, Bucket: s.Name, Key: []byte(key), Version: version}
}

// someVersion of a key: often the latest, sometimes one that is there, sometimes none.
func (m *model) someVersion(s *shelf, key string) uint64 {
	list := s.keys[key]
	switch {
	case m.oneIn(2):
		return metainfo.LatestVersion
	case m.oneIn(4):
		return metainfo.NullVersion
	case len(list) > 0 && !m.oneIn(10):
		return list[m.rnd.IntN(len(list))].Version
	}
	return 77
}

func (m *model) wish(s *shelf, key string) (w wish) {
	switch m.rnd.IntN(8) {
	case 0:
		w.ifAbsent = true
	case 1:
		w.ifStream = metainfo.StreamID{1}
	case 2, 3:
		if v := s.current(key); v != nil && !v.Marker {
			w.ifStream = v.Stream
		}
	case 4:
		w.noReplace = true
	}
	return w
}

// asked is what a new version is to have: expiry and protection.
func (m *model) asked() (v copyOnShelf) {
	if m.oneIn(8) {
		v.Expires = time.Now().Add(time.Duration(1+m.rnd.IntN(1000)) * time.Hour).UTC()
	}
	if m.oneIn(8) {
		v.Retention = m.someRetention()
	}
	v.LegalHold = m.oneIn(30)
	return v
}

func (m *model) someRetention() metainfo.Retention {
	return metainfo.Retention{
		Mode:  pick(m, metainfo.Governance, metainfo.Governance, metainfo.Compliance),
		Until: time.Now().Add(time.Duration(1+m.rnd.IntN(500)) * time.Hour).UTC().Round(0),
	}
}

func (m *model) upload(s *shelf, key string) metabase.Upload {
	return metabase.Upload{ObjectRef: m.at(s, key, 0), Stream: metainfo.NewStreamID(), Created: time.Now()}
}

func (m *model) lost(name string, call func() error) {
	m.again = append(m.again, repeat{time.Now(), name, call})
	if len(m.again) > 40 {
		m.again = m.again[1:]
	}
}

// landed puts what the DB made on the shelf.
func (m *model) landed(s *shelf, key string, v *copyOnShelf, o metainfo.Object) {
	if list := s.keys[key]; len(list) > 0 && o.Version <= list[0].Version {
		m.t.Errorf("%q: version %d after %d", key, o.Version, list[0].Version)
	}
	v.Stream, v.Version, v.PlainSize = o.Stream, o.Version, int64(len(v.content))
	v.Created = o.Created
	s.place(key, v, time.Now())
	if o.Null != v.Null || !o.Expires.Equal(v.Expires) || !o.Retention.Until.Equal(v.Retention.Until) ||
		o.PlainSize != v.PlainSize || string(o.Metadata) != string(v.Metadata) || o.Parts != v.Parts {
		m.t.Errorf("%q: made %+v, want %+v", key, o, v)
	}
}

func (m *model) content() string {
	return strings.Repeat("x", m.rnd.IntN(30)) + fmt.Sprint(m.rnd.Uint32())
}

func (m *model) put() {
	s, key := m.bucket(), m.key()
	asked, w := m.asked(), m.wish(s, key)
	asked.content, asked.Metadata = m.content(), []byte("m0")
	if m.oneIn(20) {
		asked.content = ""
	}
	up := m.upload(s, key)
	up.Expires = asked.Expires
	m.finish("put", s, key, asked, w, metabase.CommitObject{
		Upload: up, Last: inlineSegment(0, 0, asked.content), Segments: 1, Metadata: asked.Metadata,
		Retention: asked.Retention, LegalHold: asked.LegalHold,
	})
}

// finish commits an upload on both sides.
func (m *model) finish(what string, s *shelf, key string, v copyOnShelf, w wish, c metabase.CommitObject) bool {
	c.IfAbsent, c.IfStream, c.NoReplace = w.ifAbsent, w.ifStream, w.noReplace
	want := s.grants(key, w)
	if want == nil {
		want = s.admit(&v, time.Now())
	}
	o, err := m.CommitObject(m.ctx, c)
	if !m.note(what, err, want) {
		return false
	}
	m.landed(s, key, &v, o)
	m.lost(what, func() error {
		_, err := m.CommitObject(m.ctx, c)
		return err
	})
	return true
}

func (m *model) begin() {
	s, key := m.bucket(), m.key()
	m.plain = append(m.plain, &modelUpload{Upload: m.upload(s, key)})
}

func some[T any](m *model, list []*T) *T {
	if len(list) == 0 {
		return nil
	}
	return list[m.rnd.IntN(len(list))]
}

func (m *model) segment() {
	if up := some(m, m.plain); up != nil {
		content := m.content()
		call := func() error {
			return m.CommitSegment(m.ctx, up.Upload, *inlineSegment(up.count, int64(len(up.content)), content))
		}
		wantErr(m.t, "segment", call(), nil)
		up.content += content
		up.count++
		up.activity = time.Now()
	}
}

func (m *model) commit() {
	up := some(m, m.plain)
	if up == nil {
		return
	}
	s, key := m.shelves[up.Bucket], string(up.Key)
	c := metabase.CommitObject{Upload: up.Upload, Segments: up.count}
	if m.oneIn(4) { // says one too many
		c.Segments++
		_, err := m.CommitObject(m.ctx, c)
		m.note("commit of too many", err, metainfo.ErrSegmentMissing)
		return
	}
	if m.oneIn(2) {
		c.Last = inlineSegment(up.count, int64(len(up.content)), "last")
		c.Segments++
	}
	v := copyOnShelf{content: up.content}
	if c.Last != nil {
		v.content += "last"
	}
	if m.finish("commit", s, key, v, m.wish(s, key), c) {
		m.plain = without(m.plain, up)
		late := *inlineSegment(9, 0, "late")
		m.lost("segment", func() error { return m.CommitSegment(m.ctx, up.Upload, late) })
	}
}

func without[T any](list []*T, gone *T) []*T {
	return slices.DeleteFunc(list, func(other *T) bool { return other == gone })
}

func (m *model) abort() {
	if up := some(m, m.plain); up != nil {
		wantErr(m.t, "abort", m.AbortObject(m.ctx, up.Stream), nil)
		m.plain = without(m.plain, up)
		m.lost("commit of an aborted", func() error {
			_, err := m.CommitObject(m.ctx, metabase.CommitObject{Upload: up.Upload, Last: inlineSegment(0, 0, "x"), Segments: 1})
			return err
		})
	}
}

func (m *model) beginParts() {
	s, key := m.bucket(), m.key()
	up := &modelUpload{
		Upload: m.upload(s, key), list: map[uint32]metainfo.Part{}, contents: map[uint32]string{}, activity: time.Now(), asked: m.asked(),
	}
	up.asked.Metadata = []byte("kept")
	up.Expires = up.asked.Expires
	probe := up.asked
	err := m.BeginUpload(m.ctx, metabase.BeginUpload{
		Upload: up.Upload, Metadata: up.asked.Metadata, Retention: up.asked.Retention, LegalHold: up.asked.LegalHold,
	})
	if m.note("begin parts", err, s.admit(&probe, time.Now())) {
		m.parts = append(m.parts, up)
	}
}

func (m *model) part() {
	up := some(m, m.parts)
	if up == nil {
		return
	}
	number := uint32(1 + m.rnd.IntN(6))
	attempt := up.Upload
	attempt.Stream, attempt.Parent, attempt.Part = metainfo.NewStreamID(), up.Stream, number
	c := metabase.CommitPart{Upload: attempt, Metadata: []byte("sum")}
	content := ""
	for range m.rnd.IntN(3) {
		piece := m.content()
		wantErr(m.t, "segment of a part", m.CommitSegment(m.ctx, attempt, *partSegment(number, c.Segments, int64(len(content)), piece)), nil)
		content += piece
		c.Segments++
	}
	switch m.rnd.IntN(10) {
	case 0: // left behind
		return
	case 1:
		wantErr(m.t, "abort of a part", m.AbortObject(m.ctx, attempt.Stream), nil)
		_, err := m.CommitPart(m.ctx, c)
		m.note("part that was aborted", err, metainfo.ErrUpload)
		return
	case 2, 3, 4, 5, 6:
		piece := m.content()
		c.Last = partSegment(number, c.Segments, int64(len(content)), piece)
		content += piece
		c.Segments++
	}
	p, err := m.CommitPart(m.ctx, c)
	m.note("part", err, nil)
	if p.PlainSize != int64(len(content)) || p.Segments != c.Segments || p.Stream != attempt.Stream || p.Number != number {
		m.t.Errorf("part: %+v", p)
	}
	up.list[number], up.contents[number], up.activity = p, content, time.Now()
	m.lost("part", func() error {
		_, err := m.CommitPart(m.ctx, c)
		return err
	})
}

func (m *model) complete() {
	up := some(m, m.parts)
	if up == nil {
		return
	}
	s, key := m.shelves[up.Bucket], string(up.Key)
	c := metabase.CommitObject{Upload: up.Upload}
	numbers := slices.Sorted(maps.Keys(up.list))
	keep := slices.DeleteFunc(slices.Clone(numbers), func(uint32) bool { return m.oneIn(4) })
	if m.oneIn(2) {
		c.Parts = keep
	}
	if len(c.Parts) == 0 {
		keep = numbers
	}
	if len(keep) == 0 || m.oneIn(6) {
		c.Parts = append(slices.Clone(c.Parts), pick[uint32](m, 7, 10_000))
		_, err := m.CommitObject(m.ctx, c)
		m.note("complete with what is not there", err, metainfo.ErrPart)
		return
	}
	v := up.asked
	v.Parts = uint32(len(keep))
	for _, number := range keep {
		v.content += up.contents[number]
	}
	if m.finish("complete", s, key, v, m.wish(s, key), c) {
		m.parts = without(m.parts, up)
	}
}

func (m *model) abortParts() {
	up := some(m, m.parts)
	if up == nil || !m.oneIn(3) {
		return
	}
	wantErr(m.t, "abort", m.AbortObject(m.ctx, up.Stream), nil)
	m.parts = without(m.parts, up)
	m.lost("completion of an aborted", func() error {
		_, err := m.CommitObject(m.ctx, metabase.CommitObject{Upload: up.Upload})
		return err
	})
	m.lost("part of an aborted", func() error {
		attempt := up.Upload
		attempt.Stream, attempt.Parent, attempt.Part = metainfo.NewStreamID(), up.Stream, 1
		_, err := m.CommitPart(m.ctx, metabase.CommitPart{Upload: attempt})
		return err
	})
}

func (m *model) copy() {
	from, fromKey, to, toKey := m.bucket(), m.key(), m.bucket(), m.key()
	if m.oneIn(4) { // onto itself, as a restore does
		to, toKey = from, fromKey
	}
	c := metabase.CopyObject{
		From: m.at(from, fromKey, m.someVersion(from, fromKey)), To: m.at(to, toKey, 0), WrappedKey: []byte("copied"),
		Move: m.oneIn(3), NewStream: metainfo.NewStreamID(),
	}
	asked, w := m.asked(), m.wish(to, toKey)
	c.IfAbsent, c.IfStream, c.NoReplace = w.ifAbsent, w.ifStream, w.noReplace
	c.Retention, c.LegalHold = asked.Retention, asked.LegalHold
	if m.oneIn(3) {
		c.ReplaceMetadata, c.Metadata, c.Expires = true, []byte("new"), asked.Expires
	}
	source, want := from.readable(fromKey, c.From.Version)
	if want == nil {
		c.Stream = source.Stream
		if m.oneIn(10) {
			c.Stream, want = metainfo.StreamID{9}, metainfo.ErrObjectChanged
		}
	}
	if want == nil && c.Move && protected(source, time.Now(), false) {
		want = metainfo.ErrLocked
	}
	if want == nil {
		want = to.grants(toKey, w)
	}
	var v copyOnShelf
	if want == nil {
		v = *source
		v.WrappedKey, v.Retention, v.LegalHold = c.WrappedKey, c.Retention, c.LegalHold
		if c.ReplaceMetadata {
			v.Metadata = c.Metadata
			if !c.Expires.IsZero() && (v.Expires.IsZero() || c.Expires.Before(v.Expires)) {
				v.Expires = c.Expires
			}
		}
		want = to.admit(&v, time.Now())
	}
	o, err := m.CopyObject(m.ctx, c)
	if !m.note(map[bool]string{true: "move", false: "copy"}[c.Move], err, want) {
		return
	}
	if c.Move {
		from.remove(fromKey, source)
	}
	if (o.Stream == source.Stream) != c.Move || string(o.WrappedKey) != "copied" {
		m.t.Errorf("copy: %+v", o)
	}
	m.landed(to, toKey, &v, o)
	m.lost("copy", func() error {
		_, err := m.CopyObject(m.ctx, c)
		return err
	})
}

func (m *model) discard() {
	s := m.bucket()
	d := metabase.Delete{Project: m.project, Bucket: s.Name, BypassGovernance: m.oneIn(4)}
	for range 1 + m.rnd.IntN(3) {
		key := m.key()
		d.Items = append(d.Items, metainfo.DeleteItem{
			Key: []byte(key), Version: m.someVersion(s, key), IfStream: m.wish(s, key).ifStream,
		})
	}
	got, err := m.Delete(m.ctx, d)
	wantErr(m.t, "delete", err, nil)
	for i, item := range d.Items {
		want, marker := s.discard(string(item.Key), item.Version, item.IfStream, d.BypassGovernance, time.Now())
		if marker != nil {
			marker.Version, marker.Created, want.Version = got[i].Version, time.Now(), got[i].Version
		}
		if got[i] != want {
			m.t.Errorf("delete %q version %d: %+v, want %+v", item.Key, item.Version, got[i], want)
		}
		m.did[fmt.Sprintf("delete: found %v, marker %v, reason %d", want.Found, want.Marker, want.Reason)]++
	}
}

func (m *model) update() {
	s, key := m.bucket(), m.key()
	ref := m.at(s, key, m.someVersion(s, key))
	v, want := s.readable(key, ref.Version)
	stream := metainfo.StreamID{3}
	switch {
	case want != nil:
	case m.oneIn(10):
		want = metainfo.ErrObjectChanged
	case protected(v, time.Now(), false):
		stream, want = v.Stream, metainfo.ErrLocked
	default:
		stream = v.Stream
	}
	metadata, name := []byte(fmt.Sprint("m", m.rnd.Uint32())), metainfo.NewStreamID()
	call := func() error { return m.UpdateMetadataOnce(m.ctx, ref, stream, name, metadata) }
	if m.note("update", call(), want) {
		v.Metadata = metadata
		m.lost("update", call)
	}
}

func (m *model) shield() {
	s, key := m.bucket(), m.key()
	l := metabase.SetLock{ObjectRef: m.at(s, key, m.someVersion(s, key)), BypassGovernance: m.oneIn(2)}
	var retention *metainfo.Retention
	var hold *bool
	if m.oneIn(2) {
		l.SetRetention = true
		switch m.rnd.IntN(5) {
		case 0:
		case 1:
			l.Retention = metainfo.Retention{Mode: metainfo.Governance, Until: time.Now().Add(-time.Hour).UTC()}
		default:
			l.Retention = m.someRetention()
		}
		retention = &l.Retention
	}
	if m.oneIn(2) {
		l.SetHold, l.LegalHold = true, m.oneIn(3)
		hold = &l.LegalHold
	}
	m.note("lock", m.SetLock(m.ctx, l), s.shield(key, l.Version, retention, hold, l.BypassGovernance, time.Now()))
}

func (m *model) settings() {
	s := m.bucket()
	req := &metainfo.UpdateBucketRequest{Name: s.Name}
	next := s.Bucket
	var want error
	kind := m.rnd.IntN(4)
	if m.frozen && (kind == 1 || kind == 2) { // they would be of another instant on each side
		return
	}
	switch kind {
	case 0:
		req.Change, req.Versioning = metainfo.ChangeVersioning, pick(m, metainfo.VersioningEnabled, metainfo.VersioningSuspended)
		if s.Name == "bucket-u" {
			req.Versioning = metainfo.Unversioned
		}
		if next.Versioning = req.Versioning; s.Lock && req.Versioning == metainfo.VersioningSuspended {
			want = metainfo.ErrVersioning
		}
	case 1:
		req.Change = metainfo.ChangeRetention
		if m.oneIn(2) {
			req.Retention = metainfo.DefaultRetention{Mode: pick(m, metainfo.Governance, metainfo.Compliance), Days: uint32(1 + m.rnd.IntN(9))}
		}
		next.Retention = req.Retention
		switch {
		case !s.Lock && req.Retention != metainfo.DefaultRetention{}:
			want = metainfo.ErrNoLock
		case s.TTL > 0 && time.Duration(req.Retention.Days)*24*time.Hour > s.TTL:
			want = metainfo.ErrRetention
		}
	case 2:
		req.Change, req.TTL = metainfo.ChangeTTL, pick(m, 0, time.Duration(m.rnd.IntN(30*24))*time.Hour)
		if next.TTL = req.TTL; next.TTL > 0 && time.Duration(s.Retention.Days)*24*time.Hour > next.TTL {
			want = metainfo.ErrRetention
		}
	case 3:
		req.Change, req.Lock = metainfo.ChangeLock, false
		if s.Lock {
			want = metainfo.ErrVersioning
		}
	}
	b, err := m.UpdateBucket(m.ctx, m.project, req)
	if !m.note("settings", err, want) {
		return
	}
	b.Created = next.Created
	if s.Bucket = next; b != next {
		m.t.Errorf("bucket %+v, want %+v", b, next)
	}
}

// read gets a version, a range of its bytes, and its parts.
func (m *model) read() {
	s, key := m.bucket(), m.key()
	ref := m.at(s, key, m.someVersion(s, key))
	v, want := s.readable(key, ref.Version)
	o, err := m.Object(m.ctx, ref)
	if !m.note("read", err, want) {
		return
	}
	m.same(key, o, v)
	if len(v.content) == 0 {
		return
	}
	offset := m.rnd.IntN(len(v.content))
	length := m.rnd.IntN(len(v.content)-offset) + 1
	d, err := m.Download(m.ctx, ref, int64(offset), int64(length), 1+m.rnd.IntN(4))
	wantErr(m.t, "download", err, nil)
	if got := m.rest(d); !strings.HasPrefix(got, v.content[offset:offset+length]) {
		m.t.Errorf("%q at %d for %d: %q, want %q", key, offset, length, got, v.content[offset:offset+length])
	}
	parts, _, err := m.ObjectParts(m.ctx, ref, 0, 0)
	if err != nil || len(parts) != int(v.Parts) {
		m.t.Errorf("%q: %d parts, %v; want %d", key, len(parts), err, v.Parts)
	}
}

// rest reads a range to its end.
func (m *model) rest(d metabase.Download) string {
	var all []byte
	for segments, more := d.Segments, d.More; ; {
		for _, s := range segments {
			skip := max(d.Offset+int64(len(all))-s.Offset, 0)
			all = append(all, s.Inline[skip:]...)
		}
		if !more {
			return string(all)
		}
		at := d.Offset + int64(len(all))
		var err error
		if segments, more, err = m.Segments(m.ctx, d.Object.Stream, at, d.Offset+d.Length-at, 3); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *model) same(key string, o metainfo.Object, v *copyOnShelf) {
	m.t.Helper()
	if o.Version != v.Version || o.Stream != v.Stream || o.Marker != v.Marker || o.Null != v.Null || o.Parts != v.Parts ||
		o.PlainSize != int64(len(v.content)) || !bytes.Equal(o.Metadata, v.Metadata) || !o.Expires.Equal(v.Expires) ||
		o.LegalHold != v.LegalHold || o.Retention.Mode != v.Retention.Mode || !o.Retention.Until.Equal(v.Retention.Until) {
		m.t.Errorf("%q: %+v, want %+v", key, o, v)
	}
}

// list walks pages and compares them with what the shelf has.
func (m *model) list() {
	s := m.bucket()
	req := metabase.ListObjects{
		Project: m.project, Bucket: s.Name, Prefix: []byte(pick(m, "", "", "a/", "b/", "b/c/")), Limit: 2 + m.rnd.IntN(9),
		Recursive: m.oneIn(2), Versions: m.oneIn(2), Metadata: true,
	}
	want := s.page(string(req.Prefix), req.Recursive, req.Versions)
	var got []string
	for more := true; more; {
		page, err := m.ListObjects(m.ctx, req)
		if err != nil || len(page.Items) == 0 && page.More || len(page.Items) > req.Limit {
			m.t.Fatalf("page of %d, %v", len(page.Items), err)
		}
		for _, item := range page.Items {
			got = append(got, nameOf(string(item.Object.Key), &item.Object, item.Prefix, req.Versions))
			req.Cursor, req.CursorVersion = item.Object.Key, item.Object.Version
			if v := s.version(string(req.Prefix)+string(item.Object.Key), item.Object.Version); !item.Prefix && v != nil {
				m.same(string(item.Object.Key), item.Object, v)
			}
		}
		more = page.More
	}
	if !slices.Equal(got, want) {
		m.t.Errorf("listed %q of %s, recursive %v, versions %v:\n%q, want\n%q", req.Prefix, s.Name, req.Recursive, req.Versions, got, want)
	}
}

func nameOf(key string, o *metainfo.Object, prefix, versions bool) string {
	switch {
	case prefix:
		return key + "*"
	case versions:
		return fmt.Sprintf("%s@%d latest %v", key, o.Version, o.Latest)
	}
	return key
}

func (s *shelf) page(prefix string, recursive, versions bool) (names []string) {
	keys := slices.Collect(maps.Keys(s.keys))
	sort.Strings(keys)
	for _, key := range keys {
		relative, ok := strings.CutPrefix(key, prefix)
		if !ok || !versions && s.current(key).Marker {
			continue
		}
		if folder, _, ok := strings.Cut(relative, "/"); ok && !recursive {
			if name := folder + "/*"; len(names) == 0 || names[len(names)-1] != name {
				names = append(names, name)
			}
			continue
		}
		for i, v := range s.keys[key] {
			if i == 0 || versions {
				o := v.Object
				o.Latest = i == 0
				names = append(names, nameOf(relative, &o, false, versions))
			}
		}
	}
	return names
}

// repeat calls again what was called before: that changes nothing, whatever others did meanwhile.
func (m *model) repeat() {
	if len(m.again) == 0 {
		return
	}
	r := m.again[m.rnd.IntN(len(m.again))]
	if time.Since(r.at) > metainfo.MaxUploadAge {
		return
	}
	err := r.call()
	for _, allowed := range []error{metainfo.ErrUpload, metainfo.ErrBucketNotFound} {
		if errors.Is(err, allowed) {
			m.did["repeat: "+allowed.Error()]++
			err = nil
		}
	}
	wantErr(m.t, "repeated "+r.name, err, nil)
	m.compare()
}

func (m *model) deletion() {
	s := m.bucket()
	d := metabase.StartDeletion{
		Project: m.project, Bucket: s.Name, Prefix: []byte(pick(m, "", "a/", "b/")), AllVersions: m.oneIn(2), BypassGovernance: m.oneIn(2),
	}
	if m.oneIn(8) {
		d.DropBucket, d.AllVersions, d.Prefix = true, true, nil
	}
	job, err := m.StartDeletion(m.ctx, d)
	wantErr(m.t, "start deletion", err, nil)
	for more := true; more; {
		if job, more, err = m.RunDeletionBatch(m.ctx, job.ID); err != nil {
			m.t.Fatal(err)
		}
	}
	objects, size, kept, markers := s.sweep(string(d.Prefix), d.AllVersions, d.BypassGovernance, time.Now())
	m.learn(s, markers)
	var reason = metainfo.ErrLocked.Reason
	if kept == 0 {
		reason = 0
	}
	if job.Objects != objects || job.Bytes != size || job.Kept != kept || !job.Done || job.Reason != reason {
		m.t.Errorf("deletion %+v, want %d objects, %d bytes, %d kept", job, objects, size, kept)
	}
	m.did[fmt.Sprintf("deletion: drop %v, kept %v", d.DropBucket, kept > 0)]++
	if _, err := m.Deletion(m.ctx, m.project, job.ID); err != nil {
		m.t.Error(err)
	}
	if d.DropBucket && kept == 0 {
		_, err := m.Bucket(m.ctx, m.project, s.Name)
		wantErr(m.t, "dropped bucket", err, metainfo.ErrBucketNotFound)
		m.forget(s.Name)
		m.makeBucket(s.Name)
	}
}

// forget drops the uploads to a bucket that is gone. Those in one go could still be committed to one of the same name.
func (m *model) forget(bucket string) {
	to := func(up *modelUpload) bool { return up.Bucket == bucket }
	for _, up := range m.plain {
		if to(up) {
			wantErr(m.t, "abort", m.AbortObject(m.ctx, up.Stream), nil)
		}
	}
	m.plain, m.parts = slices.DeleteFunc(m.plain, to), slices.DeleteFunc(m.parts, to)
}

// learn fills in the numbers of delete markers that the DB made by itself.
func (m *model) learn(s *shelf, markers map[string]*copyOnShelf) {
	for key, marker := range markers {
		page, err := m.ListObjects(m.ctx, metabase.ListObjects{
			Project: m.project, Bucket: s.Name, Prefix: []byte(key), Versions: true, Recursive: true, Limit: 1,
		})
		if err != nil || len(page.Items) != 1 || !page.Items[0].Object.Marker {
			m.t.Fatalf("%q has no delete marker: %+v, %v", key, page, err)
		}
		marker.Version = page.Items[0].Object.Version
	}
}

func (m *model) lifecycle() {
	s := m.bucket()
	s.rules = nil
	for range m.rnd.IntN(3) {
		r := metainfo.LifecycleRule{
			Disabled: m.oneIn(5), Prefix: []byte(pick(m, "", "a/", "b/", "b/c/")), ExpireMarkers: m.oneIn(2), NoncurrentDays: uint32(m.rnd.IntN(10)),
		}
		switch m.rnd.IntN(3) {
		case 0:
			r.ExpireDays = uint32(1 + m.rnd.IntN(20))
		case 1:
			r.ExpireAt = time.Now().Add(time.Duration(m.rnd.IntN(48)-24) * time.Hour).UTC().Round(0)
		}
		if r.NoncurrentDays > 0 {
			r.NoncurrentKeep = uint32(m.rnd.IntN(3))
		}
		if m.oneIn(3) {
			r.MinSize, r.MaxSize = int64(m.rnd.IntN(10)), 30
		}
		if m.oneIn(3) {
			r.AbortUploadsAfter = uint32(1 + m.rnd.IntN(5))
		}
		if r.Validate() == nil {
			s.rules = append(s.rules, r)
		}
	}
	wantErr(m.t, "rules", m.PutLifecycle(m.ctx, m.project, s.Name, metainfo.Lifecycle{Rules: s.rules}), nil)
	var total metabase.LifecycleResult
	ref := metabase.BucketRef{Project: m.project, Bucket: s.Name}
	for cursor, more := (metabase.LifecycleCursor{}), true; more; {
		var r metabase.LifecycleResult
		var err error
		if r, cursor, more, err = m.RunLifecycleBatch(m.ctx, ref, cursor, time.Now()); err != nil {
			m.t.Fatal(err)
		}
		total.Expired, total.Removed, total.Kept = total.Expired+r.Expired, total.Removed+r.Removed, total.Kept+r.Kept
	}
	expired, removed, kept := s.age(time.Now())
	if total.Expired != expired || total.Removed != removed || total.Kept != kept {
		m.t.Errorf("lifecycle did %+v, want %d, %d, %d", total, expired, removed, kept)
	}
	m.did["lifecycle: expired"] += expired
	m.did["lifecycle: removed"] += removed
	markers := map[string]*copyOnShelf{}
	for key, list := range s.keys {
		if list[0].Version == 0 {
			markers[key] = list[0]
		}
	}
	m.learn(s, markers)
	m.parts = slices.DeleteFunc(m.parts, func(up *modelUpload) bool {
		return up.Bucket == s.Name && slices.ContainsFunc(s.rules, func(r metainfo.LifecycleRule) bool {
			return !r.Disabled && bytes.HasPrefix(up.Key, r.Prefix) && r.AbortUploadsAfter > 0 &&
				!time.Now().Before(up.Created.AddDate(0, 0, int(r.AbortUploadsAfter)))
		})
	})
}

func (m *model) chores() {
	since := time.Now().Add(-metainfo.MaxUploadAge)
	_, err := m.DeleteZombies(m.ctx, since)
	wantErr(m.t, "zombies", err, nil)
	m.plain = slices.DeleteFunc(m.plain, func(up *modelUpload) bool { return up.count > 0 && up.activity.Before(since) })
	since = time.Now().Add(-7 * 24 * time.Hour)
	m.parts = slices.DeleteFunc(m.parts, func(up *modelUpload) bool { return up.activity.Before(since) })
	_, err = m.SweepEnded(m.ctx)
	wantErr(m.t, "ended", err, nil)
	_, err = m.SweepDeletions(m.ctx, time.Now().Add(-24*time.Hour))
	wantErr(m.t, "deletions", err, nil)
	if m.oneIn(3) {
		m.drain()
		return
	}
	_, _, err = m.DeleteExpiredBatch(m.ctx, time.Now())
	wantErr(m.t, "expired", err, nil)
	_, _, err = m.SweepDead(m.ctx)
	wantErr(m.t, "dead", err, nil)
}

// pass lets time go by, sometimes much.
func (m *model) pass() {
	if !m.frozen {
		time.Sleep(pick(m, time.Nanosecond, time.Microsecond, time.Second, time.Minute, time.Hour, 20*time.Hour))
	}
}

// compare reads everything, and has the DB check itself.
func (m *model) compare() {
	m.tidy()
	for name, s := range m.shelves {
		page, err := m.ListObjects(m.ctx, metabase.ListObjects{
			Project: m.project, Bucket: name, Recursive: true, Versions: true, Metadata: true,
		})
		want := s.page("", true, true)
		if err != nil || page.More || len(page.Items) != len(want) {
			m.t.Fatalf("%s: %d versions, %v; want %d", name, len(page.Items), err, len(want))
		}
		for i := range page.Items {
			o := &page.Items[i].Object
			if got := nameOf(string(o.Key), o, false, true); got != want[i] {
				m.t.Errorf("%s: %s, want %s", name, got, want[i])
				continue
			}
			m.same(string(o.Key), *o, s.version(string(o.Key), o.Version))
		}
	}
	if err := m.Check(m.ctx); err != nil {
		m.t.Error(err)
	}
	uploads, err := m.ListUploads(m.ctx, metabase.ListUploads{Project: m.project, Bucket: "bucket-v", Recursive: true})
	count := 0
	for _, up := range m.parts {
		if up.Bucket == "bucket-v" {
			count++
		}
	}
	if err != nil || len(uploads.Items) != count {
		m.t.Errorf("%d uploads, %v; want %d", len(uploads.Items), err, count)
	}
}

// end lets everything that is not an object expire, and counts the segments that remain.
func (m *model) end() {
	if m.frozen {
		return
	}
	time.Sleep(8 * 24 * time.Hour)
	m.parts, m.plain = nil, nil
	m.tidy()
	_, err := m.DeleteZombies(m.ctx, time.Now())
	wantErr(m.t, "zombies", err, nil)
	time.Sleep(8 * 24 * time.Hour)
	m.tidy()
	_, err = m.DeleteZombies(m.ctx, time.Now())
	wantErr(m.t, "zombies", err, nil)
	m.drain()
	m.compare()
	segments, want := int64(0), int64(0)
	segments, err = m.CountSegments(m.ctx)
	wantErr(m.t, "count", err, nil)
	for _, s := range m.shelves {
		for key := range s.keys {
			for _, v := range s.keys[key] {
				if !v.Marker {
					o, err := m.Object(m.ctx, m.at(s, key, v.Version))
					wantErr(m.t, "object", err, nil)
					want += int64(o.Segments)
					d, err := m.Download(m.ctx, m.at(s, key, v.Version), 0, -1, 1000)
					if err != nil || m.rest(d) != v.content {
						m.t.Errorf("%q: %q, %v; want %q", key, m.rest(d), err, v.content)
					}
				}
			}
		}
	}
	c, err := m.Counts(m.ctx)
	if err != nil || segments != want || c.Uploads != 0 || c.Dead != 0 {
		m.t.Errorf("%d segments remain, want %d; %+v, %v", segments, want, c, err)
	}
}

// drain sweeps until there is nothing left to sweep.
func (m *model) drain() {
	for again := true; again; {
		_, more, err := m.SweepDead(m.ctx)
		wantErr(m.t, "dead", err, nil)
		_, expired, err := m.DeleteExpiredBatch(m.ctx, time.Now())
		wantErr(m.t, "expired", err, nil)
		again = more || expired
	}
	_, more, err := m.SweepDead(m.ctx)
	wantErr(m.t, "dead", err, nil)
	if more {
		m.drain()
	}
}
