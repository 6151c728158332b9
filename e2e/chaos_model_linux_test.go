package e2e

// Each worker has keys of its own and does one thing after the other, so that what is there follows from what it did.
// What was acknowledged is certain. What was not acknowledged has happened or has not, as a whole, and may still happen
// later: its keys are not touched again until the end, when they must be all as before or all as after.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"storj/roles/uplink"
)

// value is the content of an object; the zero value is none.
type value struct {
	seed uint64
	size int
}

func (v value) reader() io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(v.seed >> (8 * i))
	}
	return io.LimitReader(rand.NewChaCha8(key), int64(v.size))
}

// errOther is returned for content that is not what was stored.
var errOther = errors.New("other bytes than were stored")

// comparer is written what was read, and compares.
type comparer struct {
	want   io.Reader
	buffer []byte
	count  int
}

// Write implements io.Writer.
func (c *comparer) Write(p []byte) (int, error) {
	c.buffer = slices.Grow(c.buffer[:0], len(p))[:len(p)]
	if _, err := io.ReadFull(c.want, c.buffer); err != nil || !bytes.Equal(c.buffer, p) {
		return 0, fmt.Errorf("%w, within %d of byte %d", errOther, len(p), c.count)
	}
	c.count += len(p)
	return len(p), nil
}

// doubt is an operation that was not acknowledged.
type doubt struct {
	what          string
	err           error
	before, after map[string]value
}

// worker does what customers do.
type worker struct {
	*chaos
	name   string
	bucket string
	rng    *rand.Rand
	size   func(rng *rand.Rand) int

	live   map[string]value // certain
	gone   map[string]bool  // certain
	doubts []doubt
	next   int

	versions map[string]map[string]value // of a versioned bucket: by key, then version; the zero value: deleted
}

func (c *chaos) worker(name, bucket string, number uint64, size func(rng *rand.Rand) int) *worker {
	return &worker{
		chaos: c, name: name, bucket: bucket, rng: rand.New(rand.NewPCG(c.seed, number)), size: size,
		live: make(map[string]value), gone: make(map[string]bool), versions: make(map[string]map[string]value),
	}
}

// run works until the time is up.
func (w *worker) run(ctx context.Context, step func(), rest time.Duration) {
	for ctx.Err() == nil && !w.t.Failed() {
		step()
		w.pause(ctx, time.Duration(w.rng.Int64N(int64(rest))))
	}
}

func (w *worker) fresh() value { return value{seed: w.rng.Uint64(), size: w.size(w.rng)} }

func (w *worker) newKey() string {
	w.next++
	return fmt.Sprintf("%s/%d/%04d", w.name, w.next%7, w.next)
}

// any returns a key that is there for certain, or "".
func (w *worker) any() string {
	keys := slices.Sorted(maps.Keys(w.live))
	if len(keys) == 0 {
		return ""
	}
	return keys[w.rng.IntN(len(keys))]
}

// step does one thing.
func (w *worker) step() {
	key := w.any()
	const enough = 40
	switch roll := w.rng.IntN(100); {
	case key == "" || roll < 25 && len(w.live) < enough:
		w.put(w.newKey())
	case roll < 35:
		w.put(key) // over it
	case roll < 43:
		w.parts(w.newKey())
	case roll < 70:
		w.readBack(key)
	case roll < 78:
		w.copyTo(key, w.newKey(), false)
	case roll < 84:
		w.copyTo(key, w.newKey(), true)
	case roll < 87 && len(w.live) > 1:
		if to := w.any(); to != key {
			w.copyTo(key, to, w.rng.IntN(2) == 0) // over it
		}
	default:
		w.remove(key)
	}
}

// try does what changes some keys, and notes what is known afterwards. Nothing waits longer for an answer than this.
const opPatience = 90 * time.Second

func (w *worker) try(what string, after map[string]value, do func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), opPatience)
	defer cancel()
	before := make(map[string]value)
	for key := range after {
		before[key] = w.live[key]
	}
	err := do(ctx)
	if errors.Is(err, uplink.ErrObjectNotFound) && removes(after) {
		// A repeated deletion or move finds that the first one, whose answer was lost, has happened. The end shows whether.
		w.count(kindOf(what) + ", answered late")
		err = nil
	}
	if err != nil {
		w.count(kindOf(what) + ", not acknowledged")
		if !errors.Is(err, uplink.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			w.t.Errorf("%s: %v", what, err)
		}
		w.doubts = append(w.doubts, doubt{what, err, before, after})
		for key := range after {
			delete(w.live, key)
			delete(w.gone, key)
		}
		return
	}
	w.count(kindOf(what))
	for key, v := range after {
		delete(w.gone, key)
		delete(w.live, key)
		if v == (value{}) {
			w.gone[key] = true
		} else {
			w.live[key] = v
		}
	}
}

func removes(after map[string]value) bool {
	return slices.Contains(slices.Collect(maps.Values(after)), value{})
}

func kindOf(what string) string {
	kind, _, _ := strings.Cut(what, " ")
	return kind
}

func (w *worker) put(key string) {
	v := w.fresh()
	w.try("put "+key, map[string]value{key: v}, func(ctx context.Context) error {
		_, err := w.project.Put(ctx, w.bucket, key, v.reader(), nil)
		return err
	})
}

// parts uploads in two or three parts.
func (w *worker) parts(key string) {
	v := w.fresh()
	count := 2 + w.rng.IntN(2)
	w.try("parts "+key, map[string]value{key: v}, func(ctx context.Context) error {
		upload, err := w.project.BeginUpload(ctx, w.bucket, key, nil)
		if err != nil {
			return err
		}
		content := v.reader()
		for i := range count {
			part := int64(v.size*(i+1)/count - v.size*i/count)
			if _, err := w.project.PutPart(ctx, w.bucket, key, upload.ID, i+1, io.LimitReader(content, part), nil); err != nil {
				return err
			}
		}
		_, err = w.project.CommitUpload(ctx, w.bucket, key, upload.ID, nil)
		return err
	})
}

func (w *worker) copyTo(from, to string, move bool) {
	after := map[string]value{to: w.live[from]}
	what, do := "copy", w.project.Copy
	if move {
		what, do = "move", w.project.Move
		after[from] = value{}
	}
	w.try(what+" "+from+" to "+to, after, func(ctx context.Context) error {
		_, err := do(ctx, w.bucket, from, w.bucket, to, nil)
		return err
	})
}

func (w *worker) remove(key string) {
	w.try("delete "+key, map[string]value{key: {}}, func(ctx context.Context) error {
		return w.project.Delete(ctx, w.bucket, key)
	})
}

// fetch compares an object, or what of it lies from offset on, with what it must be.
func (w *worker) fetch(key, version string, want value, offset int) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), opPatience)
	defer cancel()
	download, err := w.project.Download(ctx, w.bucket, key, &uplink.DownloadOptions{Offset: int64(offset), Version: version})
	if err != nil {
		return err
	}
	to := &comparer{want: want.reader()}
	if _, err := io.CopyN(io.Discard, to.want, int64(offset)); err != nil {
		return errors.Join(err, download.Close())
	}
	_, err = download.WriteTo(to)
	if err == nil && to.count != want.size-offset {
		err = fmt.Errorf("%w: %d of %d", errOther, to.count, want.size-offset)
	}
	return errors.Join(err, download.Close())
}

// readBack reads while nodes fail: what was acknowledged can be read at all times.
func (w *worker) readBack(key string) {
	want := w.live[key]
	offset := 0
	if w.rng.IntN(3) == 0 {
		offset = w.rng.IntN(want.size)
	}
	began := time.Now()
	if err := w.fetch(key, "", want, offset); err != nil {
		w.t.Errorf("read %s/%s of %d bytes from %d, for %v with impaired %s: %v",
			w.bucket, key, want.size, offset, time.Since(began), w.impairedNames(), err)
	}
	w.count("read")
}

// stepVersions does one thing in a versioned bucket.
func (w *worker) stepVersions() {
	key := fmt.Sprintf("%s/%d", w.name, w.rng.IntN(6))
	known := w.versions[key]
	if known == nil {
		known = make(map[string]value)
		w.versions[key] = known
	}
	var there []string
	for version, v := range known {
		if v != (value{}) {
			there = append(there, version)
		}
	}
	slices.Sort(there)
	ctx, cancel := context.WithTimeout(w.t.Context(), opPatience)
	defer cancel()
	switch roll := w.rng.IntN(10); {
	case roll < 5 || len(there) == 0:
		v := w.fresh()
		if object, err := w.project.Put(ctx, w.bucket, key, v.reader(), nil); w.told("put version", err) {
			known[object.Version] = v
		}
	case roll < 8:
		version := there[w.rng.IntN(len(there))]
		if err := w.fetch(key, version, known[version], 0); err != nil {
			w.t.Errorf("read version %s of %s: %v", version, key, err)
		}
		w.count("read version")
	case roll < 9:
		_, err := w.project.DeleteObject(ctx, w.bucket, key, nil) // hides it
		w.told("hide", ignore(err, uplink.ErrObjectNotFound))
	default:
		version := there[w.rng.IntN(len(there))]
		_, err := w.project.DeleteObject(ctx, w.bucket, key, &uplink.DeleteOptions{Version: version})
		if w.told("delete version", ignore(err, uplink.ErrObjectNotFound)) {
			known[version] = value{}
		} else {
			delete(known, version) // it may be there or not
		}
	}
}

func ignore(err, sentinel error) error {
	if errors.Is(err, sentinel) {
		return nil
	}
	return err
}

// told says whether something was acknowledged.
func (w *worker) told(what string, err error) bool {
	if err == nil {
		w.count(what)
		return true
	}
	w.count(what + ", not acknowledged")
	if !errors.Is(err, uplink.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		w.t.Errorf("%s: %v", what, err)
	}
	return false
}

// verify compares all that is there with all that must be.
func (w *worker) verify() {
	for key, v := range w.live {
		if err := w.fetch(key, "", v, 0); err != nil {
			w.t.Errorf("acknowledged object %s/%s of %d bytes: %v", w.bucket, key, v.size, err)
		}
	}
	for key := range w.gone {
		if err := w.is(key, value{}); err != nil {
			w.t.Errorf("deleted object %s/%s: %v", w.bucket, key, err)
		}
	}
	for _, d := range w.doubts {
		if errBefore, errAfter := w.areAll(d.before), w.areAll(d.after); errBefore != nil && errAfter != nil {
			w.t.Errorf("%s was not acknowledged (%v) and is half done: not as before: %v; not as after: %v",
				d.what, d.err, errBefore, errAfter)
		}
	}
	for key, versions := range w.versions {
		for version, v := range versions {
			err := w.fetch(key, version, v, 0)
			if v == (value{}) && !errors.Is(err, uplink.ErrObjectNotFound) {
				w.t.Errorf("deleted version %s of %s: %v", version, key, err)
			} else if v != (value{}) && err != nil {
				w.t.Errorf("acknowledged version %s of %s, %d bytes: %v", version, key, v.size, err)
			}
		}
	}
	if w.bucket == chaosBucket {
		w.verifyList()
	}
}

// verifyList compares a listing with what must be there: nothing is missing, nothing more.
func (w *worker) verifyList() {
	doubted := make(map[string]bool)
	for _, d := range w.doubts {
		for key := range d.after {
			doubted[key] = true
		}
	}
	listed := 0
	list := w.project.List(w.t.Context(), w.bucket, &uplink.ListOptions{Prefix: w.name + "/", Recursive: true})
	for list.Next() {
		object := list.Item()
		want, certain := w.live[object.Key]
		switch {
		case certain && object.Size != int64(want.size):
			w.t.Errorf("listed %s with %d bytes, not %d", object.Key, object.Size, want.size)
		case certain:
			listed++
		case !doubted[object.Key]:
			w.t.Errorf("listed %s, which is not there", object.Key)
		}
	}
	if err := list.Err(); err != nil || listed != len(w.live) {
		w.t.Errorf("listed %d of %d objects of %s: %v", listed, len(w.live), w.name, err)
	}
}

func (w *worker) is(key string, want value) error {
	err := w.fetch(key, "", want, 0)
	if want != (value{}) {
		return err
	}
	if err == nil || errors.Is(err, errOther) {
		return errors.New("is there")
	}
	return ignore(err, uplink.ErrObjectNotFound)
}

func (w *worker) areAll(want map[string]value) (err error) {
	for key, v := range want {
		if e := w.is(key, v); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", key, e))
		}
	}
	return err
}

// counts is how often things happened.
type counts struct {
	mu sync.Mutex // guards of
	of map[string]int
}

func (c *counts) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[what]++
}

// each returns them as text, in order.
func (c *counts) each() (lines []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		lines = append(lines, fmt.Sprintf("%6d %s", c.of[what], what))
	}
	return lines
}
