package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"storj/roles/devnet"
)

// killed starts a command as a process of its own and ends it with SIGKILL as soon as ready says nil.
func (p *procs) killed(ready func() error, args ...string) {
	p.t.Helper()
	cmd := exec.Command(p.Binary, args...)
	cmd.Env = p.Env()
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	until(p.t, "the middle of storj "+strings.Join(args, " "), func() error {
		select {
		case err := <-ended:
			p.t.Fatalf("storj %s ended by itself: %v", strings.Join(args, " "), err)
		default:
		}
		return ready()
	})
	if err := cmd.Process.Kill(); err != nil {
		p.t.Error(err)
	}
	<-ended
}

// TestUploadGoesOnAfterKill promises that parts of a large file that were sent are not sent again.
func TestUploadGoesOnAfterKill(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Nodes: 4})
	const parts, partSize = 10, 4 << 20
	source := randomFile(t, parts*partSize-1000, 70)
	p.must("mb", "sj://large")
	upload := []string{"cp", "--quiet", "--part-size", "4MiB", source, "sj://large/file"}
	p.killed(func() error {
		if line := p.pending(); line.Parts < 3 {
			return fmt.Errorf("%d parts", line.Parts)
		}
		return nil
	}, append(upload, "--limit", "6MB/s")...)

	before := p.pending()
	if before.Parts < 3 || before.Parts >= parts {
		t.Fatalf("%d parts were sent before the kill", before.Parts)
	}
	at := time.Now()
	p.refused(3, "stat", "sj://large/file")
	p.must(upload...)
	p.same("sj://large/file", source)
	if left := p.must("uploads", "ls", "--json", "sj://large"); left.stdout != "" {
		t.Errorf("uploads are left: %s", left.stdout)
	}

	sent := 0
	it := openGrant(t, p.grant()).ObjectParts(t.Context(), "large", "file", nil)
	for it.Next() {
		if it.Item().Created.After(at) {
			sent++
		}
	}
	if it.Err() != nil || sent > parts-before.Parts {
		t.Errorf("%d parts were sent after the kill, %d were missing; %v", sent, parts-before.Parts, it.Err())
	}
	t.Logf("%d of %d parts were sent before the kill, %d after it", before.Parts, parts, sent)
	p.noState()
}

// pendingUpload is what storj uploads ls prints.
type pendingUpload struct {
	ID    string
	Parts int
}

func (p *procs) pending() (line pendingUpload) {
	p.t.Helper()
	out := p.must("uploads", "ls", "--json", "sj://large").stdout
	if out != "" {
		if err := json.Unmarshal([]byte(out), &line); err != nil {
			p.t.Fatalf("%v: %s", err, out)
		}
	}
	return line
}

// noState fails if the client keeps anything of transfers.
func (p *procs) noState() {
	p.t.Helper()
	left, err := os.ReadDir(filepath.Join(p.Config, "resume"))
	if err != nil || len(left) > 0 {
		p.t.Errorf("state of transfers is left: %v, %v", left, err)
	}
}

// TestChangedFileIsNotMixed promises that an upload does not go on with a file that is another meanwhile.
func TestChangedFileIsNotMixed(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Nodes: 4})
	const size = 20 << 20
	source := randomFile(t, size, 71)
	p.must("mb", "sj://large")
	upload := []string{"cp", "--quiet", "--part-size", "2MiB", source, "sj://large/file"}
	p.killed(func() error {
		if line := p.pending(); line.Parts < 2 {
			return fmt.Errorf("%d parts", line.Parts)
		}
		return nil
	}, append(upload, "--limit", "4MB/s")...)

	info, err := os.Stat(source)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 1 // in a part that was sent, and nothing else of the file tells
	if err := os.WriteFile(source, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(source, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	p.must(upload...)
	p.same("sj://large/file", source)
}

// TestDownloadGoesOnAfterKill promises that what is on disk of a large object is not fetched again, and that the file
// appears whole or not at all.
func TestDownloadGoesOnAfterKill(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Nodes: 4})
	source := randomFile(t, 80<<20, 72)
	p.must("mb", "sj://large")
	p.must("cp", "--quiet", source, "sj://large/file")
	dir := t.TempDir()
	target := filepath.Join(dir, "back")
	download := []string{"cp", "--quiet", "sj://large/file", target}

	var partial string
	var done int64
	p.killed(func() (err error) {
		partial, done, err = p.partial()
		return err
	}, append(download, "--limit", "30MB/s")...)
	if _, err := os.Stat(target); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("half a file has its name: %v", err)
	}
	before, err := os.Stat(partial)
	if err != nil || before.Size() < done || done < 1<<20 {
		t.Fatalf("the partial file: %v, %d bytes done", err, done)
	}
	p.must(download...)
	after, err := os.Stat(target)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the partial file was not gone on with: %v", err)
	}
	if sum(t, target) != sum(t, source) {
		t.Error("other bytes came back")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	p.noState()

	// a partial file that rotted since is noticed, and fetched anew
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	p.killed(func() (err error) {
		partial, _, err = p.partial()
		return err
	}, append(download, "--limit", "30MB/s")...)
	flip(t, partial)
	p.must(download...)
	if sum(t, target) != sum(t, source) {
		t.Error("a partial file that rotted was taken for good")
	}
}

// partial returns the partial file of the one download under way, once something of it is on disk for good.
func (p *procs) partial() (path string, done int64, err error) {
	found, err := filepath.Glob(filepath.Join(p.Config, "resume", "*.json"))
	if err != nil || len(found) == 0 {
		return "", 0, fmt.Errorf("no state: %w", errors.Join(err, os.ErrNotExist))
	}
	raw, err := os.ReadFile(found[0])
	if err != nil {
		return "", 0, err
	}
	var state struct {
		Partial string
		Done    int64
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return "", 0, err
	}
	if state.Done == 0 {
		return "", 0, errors.New("nothing is done")
	}
	return state.Partial, state.Done, nil
}

// flip alters the first byte of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], 0)
	b[0] ^= 1
	_, writeErr := f.WriteAt(b[:], 0)
	if err := errors.Join(err, writeErr, f.Close()); err != nil {
		t.Fatal(err)
	}
}
