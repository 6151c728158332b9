package metabase_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
)

// model is what the bucket should hold: content by key. Uploads that go on are beside it.
type model struct {
	w       *world
	rnd     *rand.Rand
	objects map[string]string
	uploads []*modelUpload
}

type modelUpload struct {
	metabase.Upload
	content string
	count   uint32
}

// TestModel does random things to a DB and to a map, on both engines.
func TestModel(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(testing.TB) *world{
		"memory": newWorld,
		"file":   func(t testing.TB) *world { return newBoltWorld(t, false) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			m := &model{w: make(t), rnd: rand.New(rand.NewPCG(seed, 0)), objects: map[string]string{}}
			steps := 4000
			if testing.Short() {
				steps = 800
			}
			for i := range steps {
				m.step()
				if i%100 == 0 {
					m.compare()
				}
				if t.Failed() {
					t.Fatalf("at step %d", i)
				}
			}
			m.compare()
		})
	}
}

func (m *model) key() string { return fmt.Sprintf("%d/%d", m.rnd.IntN(4), m.rnd.IntN(12)) }

func (m *model) step() {
	w, key := m.w, m.key()
	switch m.rnd.IntN(12) {
	case 0, 1:
		m.objects[key] = fmt.Sprint("inline ", m.rnd.IntN(1000))
		w.put(key, m.objects[key])
	case 2:
		c := w.inline(w.upload(key), "if absent")
		c.IfAbsent = true
		_, err := w.CommitObject(w.ctx, c)
		if _, taken := m.objects[key]; !taken {
			wantErr(w.t, "if absent", err, nil)
			m.objects[key] = "if absent"
		} else {
			wantErr(w.t, "if absent", err, metainfo.ErrObjectExists)
		}
	case 3:
		m.uploads = append(m.uploads, &modelUpload{Upload: w.upload(key)})
	case 4, 5, 6:
		m.addSegment()
	case 7:
		m.finish()
	case 8:
		m.abort()
	case 9:
		deleted, err := w.DeleteObjects(w.ctx, w.project, "bucket", [][]byte{[]byte(key)})
		if _, want := m.objects[key]; err != nil || deleted[0] != want {
			w.t.Errorf("delete %s: %v, %v; want %v", key, deleted, err, want)
		}
		delete(m.objects, key)
	case 10:
		m.copy(key, m.key())
	case 11:
		m.chores()
	}
}

func (m *model) pick() *modelUpload {
	if len(m.uploads) == 0 {
		return nil
	}
	return m.uploads[m.rnd.IntN(len(m.uploads))]
}

func (m *model) addSegment() {
	if up := m.pick(); up != nil {
		content := fmt.Sprint("segment ", m.rnd.IntN(1000), " ")
		wantErr(m.w.t, "commit segment",
			m.w.CommitSegment(m.w.ctx, up.Upload, *inlineSegment(up.count, int64(len(up.content)), content)), nil)
		up.content += content
		up.count++
	}
}

func (m *model) finish() {
	up := m.pick()
	if up == nil {
		return
	}
	c := metabase.CommitObject{Upload: up.Upload, Segments: up.count}
	if m.rnd.IntN(3) == 0 { // says one too many
		c.Segments++
		_, err := m.w.CommitObject(m.w.ctx, c)
		wantErr(m.w.t, "commit of too many", err, metainfo.ErrSegmentMissing)
		return
	}
	if m.rnd.IntN(2) == 0 {
		c.Last = inlineSegment(up.count, int64(len(up.content)), "last")
		c.Segments++
		up.content += "last"
	}
	_, err := m.w.CommitObject(m.w.ctx, c)
	wantErr(m.w.t, "commit", err, nil)
	m.objects[string(up.Key)] = up.content
	m.drop(up)
}

func (m *model) abort() {
	if up := m.pick(); up != nil {
		wantErr(m.w.t, "abort", m.w.AbortObject(m.w.ctx, up.Stream), nil)
		m.drop(up)
	}
}

func (m *model) drop(up *modelUpload) {
	m.uploads = slices.DeleteFunc(m.uploads, func(other *modelUpload) bool { return other == up })
}

func (m *model) copy(from, to string) {
	c := metabase.CopyObject{
		From: m.w.ref(from), To: m.w.ref(to), Move: m.rnd.IntN(2) == 0, IfAbsent: m.rnd.IntN(3) == 0,
	}
	content, exists := m.objects[from]
	_, taken := m.objects[to]
	_, err := m.w.CopyObject(m.w.ctx, c)
	switch {
	case !exists:
		wantErr(m.w.t, "copy of nothing", err, metainfo.ErrObjectNotFound)
	case taken && c.IfAbsent:
		wantErr(m.w.t, "copy if absent", err, metainfo.ErrObjectExists)
	default:
		wantErr(m.w.t, "copy", err, nil)
		if c.Move {
			delete(m.objects, from)
		}
		m.objects[to] = content
	}
}

func (m *model) chores() {
	_, _, err := m.w.SweepDead(m.w.ctx)
	_, err2 := m.w.DeleteZombies(m.w.ctx, time.Now().Add(-time.Hour))
	_, _, err3 := m.w.DeleteExpiredBatch(m.w.ctx, time.Now())
	if err := errors.Join(err, err2, err3); err != nil {
		m.w.t.Error(err)
	}
}

// compare lists and reads everything, and has the DB check itself.
func (m *model) compare() {
	w := m.w
	page, err := w.ListObjects(w.ctx, metabase.ListObjects{Project: w.project, Bucket: "bucket", Recursive: true})
	if want := strings.Join(slices.Sorted(maps.Keys(m.objects)), " "); err != nil || names(page) != want {
		w.t.Errorf("listed %q, %v; want %q", names(page), err, want)
	}
	for key, want := range m.objects {
		if got := w.content(key); got != want {
			w.t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	totals, err := w.BucketTotals(w.ctx)
	size := int64(0)
	for _, content := range m.objects {
		size += int64(len(content))
	}
	if err != nil || len(m.objects) > 0 && (totals[0].PlainSize != size || totals[0].Objects != int64(len(m.objects))) {
		w.t.Errorf("totals %+v, %v; want %d bytes", totals, err, size)
	}
	if err := w.Check(w.ctx); err != nil {
		w.t.Error(err)
	}
}
