package transfer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"storj/metainfo"
	"storj/roles/command/resume"
	"storj/roles/uplink"
)

// The flow of an upload in parts: one goroutine, the caller's, reads the file from start to end, once, and fills one part
// after another; each is committed on a goroutine of its own, at most partsInFlight at a time, while the next is read.
// What was sent by an earlier try is read and compared by checksum instead. The caller waits for all commits.

const (
	// DefaultPartSize is how large the parts of an upload are, bytes: a segment each, so that nothing is cut twice.
	DefaultPartSize = metainfo.SegmentSize
	// MinPartSize is the smallest that Options.PartSize may be, bytes.
	MinPartSize = 64 << 10
	// partsInFlight is how many parts of one file are sent at once: as many segments as one upload without parts has.
	partsInFlight = 2
	// mostParts is at how many parts they become larger, with room below the most that an upload may have.
	mostParts = uplink.MaxParts * 9 / 10
)

// inParts says whether an upload goes in parts, so that it can be gone on with.
func (t *Transfer) inParts(item Item) bool {
	return t.opts.Resume != nil && item.From.IsLocal() && item.Size > t.opts.PartSize
}

// partSizeFor returns how large the parts of a file are.
func (t *Transfer) partSizeFor(size int64) int64 {
	parts := (size + t.opts.PartSize - 1) / t.opts.PartSize
	return t.opts.PartSize * ((parts + mostParts - 1) / mostParts)
}

// partsUpload is one upload in parts.
type partsUpload struct {
	t     *Transfer
	item  Item
	claim *resume.Claim
	entry resume.Entry
	there map[int]uplink.Part // that an earlier try sent
	file  *os.File
	whole *blake3.Hasher
}

// uploadParts uploads a file in parts. It goes on with what an earlier try left; what it leaves when it fails is for the
// next. done is false when another process is at the same: the caller then uploads without parts.
func (t *Transfer) uploadParts(ctx context.Context, item Item) (n int64, done bool, err error) {
	path, err := filepath.Abs(item.From.Path)
	if err != nil {
		return 0, true, err
	}
	claim, err := t.opts.Resume.Claim(resume.ID("upload", t.opts.ResumeScope, path, item.To.String()))
	if err != nil || claim == nil {
		return 0, err != nil, err
	}
	defer claim.Release()
	file, err := os.Open(path)
	if err != nil {
		return 0, true, err
	}
	defer file.Close() // read only
	info, err := file.Stat()
	if err != nil {
		return 0, true, err
	}
	u := &partsUpload{t: t, item: item, claim: claim, file: file, whole: blake3.New()}
	u.entry = resume.Entry{Size: info.Size(), Modified: info.ModTime().UnixNano(), PartSize: t.partSizeFor(info.Size())}
	if err := u.begin(ctx); err != nil {
		return 0, true, err
	}
	if err := u.send(ctx); err != nil {
		return 0, true, err
	}
	n, err = u.commit(ctx, info)
	return n, true, err
}

// begin finds the upload of an earlier try, or starts one.
func (u *partsUpload) begin(ctx context.Context) error {
	to := u.item.To
	if old, known := u.claim.Load(); known && old.Upload != "" {
		wanted := u.entry
		wanted.Upload = old.Upload
		if old == wanted {
			found, err := u.find(ctx, old.Upload)
			if found || err != nil {
				u.entry = wanted
				return err
			}
		} else { // the file changed, or the size of parts
			_ = u.t.project.AbortUpload(ctx, to.Bucket, to.Key, old.Upload) // best effort: the satellite does it in time
		}
	}
	upload, err := u.t.project.BeginUpload(ctx, to.Bucket, to.Key, u.t.uploadOptions(u.item))
	if err != nil {
		return err
	}
	u.entry.Upload = upload.ID
	return u.claim.Save(u.entry)
}

// find asks which parts were sent. found is false when the upload is gone.
func (u *partsUpload) find(ctx context.Context, id string) (found bool, err error) {
	u.there = make(map[int]uplink.Part)
	it := u.t.project.ListParts(ctx, u.item.To.Bucket, u.item.To.Key, id, nil)
	for it.Next() {
		part := it.Item()
		u.there[part.Number] = *part
	}
	if errors.Is(it.Err(), uplink.ErrUploadLost) {
		u.there = nil
		return false, nil
	}
	return it.Err() == nil, it.Err()
}

// send sends all parts that are not there.
func (u *partsUpload) send(ctx context.Context) error {
	group, groupCtx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, partsInFlight)
	fill := func() error {
		for number, start := 1, int64(0); start < u.entry.Size; number, start = number+1, start+u.entry.PartSize {
			section := io.NewSectionReader(u.file, start, min(u.entry.PartSize, u.entry.Size-start))
			if same, err := u.isThere(number, section); same || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-groupCtx.Done():
				return context.Cause(groupCtx)
			}
			if err := u.sendPart(groupCtx, group, number, section, func() { <-slots }); err != nil {
				return err
			}
		}
		return nil
	}
	fillErr := fill()
	if err := group.Wait(); err != nil {
		return err // why fill was cancelled
	}
	return fillErr
}

// isThere says whether a part was sent by an earlier try, with this content.
func (u *partsUpload) isThere(number int, section *io.SectionReader) (bool, error) {
	part, ok := u.there[number]
	hash, hashed := Hash(part.Metadata)
	if !ok || !hashed || part.Size != section.Size() {
		return false, nil
	}
	before := u.whole.Clone()
	h := blake3.New()
	if err := readAll(io.MultiWriter(h, u.whole), section); err != nil {
		return false, err
	}
	if [HashSize]byte(h.Sum(nil)) != hash {
		u.whole = before
		_, err := section.Seek(0, io.SeekStart)
		return false, err
	}
	u.t.opts.Progress.Skip(section.Size())
	return true, nil
}

// errShrunk is returned for a file that became shorter while it was read.
var errShrunk = errors.New("the file became shorter while it was read")

// readAll copies a whole section.
func readAll(w io.Writer, section *io.SectionReader) error {
	n, err := io.CopyBuffer(w, struct{ io.Reader }{section}, make([]byte, 256<<10))
	if err == nil && n != section.Size() {
		err = errShrunk
	}
	return err
}

// sendPart fills a part, and has the group commit it and then call done.
func (u *partsUpload) sendPart(ctx context.Context, group *errgroup.Group, number int, section *io.SectionReader, done func()) error {
	to := u.item.To
	part, err := u.t.project.UploadPart(ctx, to.Bucket, to.Key, u.entry.Upload, number, &uplink.PartOptions{ContentSizeHint: section.Size()})
	if err != nil {
		done()
		return err
	}
	h := blake3.New()
	n, err := io.Copy(part, u.t.opts.Limit.Reader(ctx, &countingReader{section, u.t, io.MultiWriter(h, u.whole)}))
	if err == nil && n != section.Size() {
		err = errShrunk
	}
	if err == nil {
		err = part.SetMetadata(uplink.CustomMetadata{HashName: hex.EncodeToString(h.Sum(nil))})
	}
	if err != nil {
		_ = part.Abort(ctx) // best effort: the error is returned
		done()
		return err
	}
	group.Go(func() error {
		defer done()
		_, err := part.Commit(ctx)
		return err
	})
	return nil
}

// commit makes the parts an object.
func (u *partsUpload) commit(ctx context.Context, before os.FileInfo) (int64, error) {
	if now, err := u.file.Stat(); err == nil && (now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime())) {
		u.t.warn("%s changed while it was read", u.item.From)
	}
	numbers := make([]int, (u.entry.Size+u.entry.PartSize-1)/u.entry.PartSize)
	for i := range numbers {
		numbers[i] = i + 1
	}
	opts := u.t.uploadOptions(u.item)
	to := u.item.To
	object, err := u.t.project.CommitUpload(ctx, to.Bucket, to.Key, u.entry.Upload, &uplink.CommitUploadOptions{
		Parts: numbers, IfAbsent: opts.IfAbsent, IfRevision: opts.IfRevision,
		Metadata: withFile(opts.Metadata, before.ModTime(), u.whole.Sum(nil)), Tags: opts.Tags,
	})
	switch {
	case errors.Is(err, uplink.ErrObjectExists), errors.Is(err, uplink.ErrObjectChanged):
		_ = u.t.project.AbortUpload(ctx, to.Bucket, to.Key, u.entry.Upload) // best effort: the satellite does it in time
		fallthrough
	case errors.Is(err, uplink.ErrUploadLost), errors.Is(err, uplink.ErrPartInvalid):
		_ = u.claim.Remove() // best effort: it would be found to be gone
	}
	if err != nil {
		return 0, err
	}
	if object.Size != u.entry.Size {
		return 0, fmt.Errorf("%w: %d of %d bytes were stored", uplink.ErrInternal, object.Size, u.entry.Size)
	}
	return object.Size, u.claim.Remove()
}
