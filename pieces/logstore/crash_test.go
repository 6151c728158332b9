package logstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"storj/pieces"
	"storj/pieces/logstore"
	"storj/pieces/storetest"
)

// The crash test runs its own binary as a writer, kills it, and looks at what it left. The writer prints a line before
// and after each change; what stands after must be true.

const (
	crashDirEnv  = "LOGSTORE_CRASH_DIR"
	crashBaseEnv = "LOGSTORE_CRASH_BASE"
)

func crashOptions(path string) logstore.Options {
	opts := logstore.Options{Reserve: -1, Setup: true, Dirs: []logstore.Dir{{Path: path}}}
	opts.SetLogSize(4 << 20) // so that logs are sealed, dropped and compacted
	return opts
}

func crashSize(n int) int64 {
	if n%7 == 0 {
		return int64(n%20)*30_000 + 140_000
	}
	return int64(n*n) % 20_000
}

// TestCrashWriter is the process that gets killed; it does nothing when the test is run by hand.
func TestCrashWriter(t *testing.T) {
	path := os.Getenv(crashDirEnv)
	if path == "" {
		t.Skip("only run by TestCrash")
	}
	base, err := strconv.Atoi(os.Getenv(crashBaseEnv))
	if err != nil {
		t.Fatal(err)
	}
	st := mustOpen(t, crashOptions(path))
	defer func() { _ = st.Close() }()
	var group sync.WaitGroup
	group.Go(func() { _ = st.Run(t.Context()) })
	group.Go(func() { // flushes and compacts as often as it can, to be killed in it
		for t.Context().Err() == nil {
			_ = st.Flush()
			_, _ = st.Compact(t.Context(), 0.8)
			_, _ = st.CompactJournals(t.Context())
		}
	})
	for worker := range 8 {
		group.Go(func() {
			for n := base + worker; ; n += 8 {
				if err := crashStep(t.Context(), st, n); err != nil {
					fmt.Printf("error %d %v\n", n, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// crashStep stores piece n and changes an older one.
func crashStep(ctx context.Context, st *logstore.Store, n int) error {
	opts := pieces.CreateOptions{Satellite: storetest.Satellite(0), Piece: storetest.PieceID(n), Size: crashSize(n)}
	if n%5 == 0 {
		opts.Expires = time.Unix(4_000_000_000, 0)
	}
	if n%11 == 0 { // abandoned
		w, err := st.Create(ctx, opts)
		if err != nil {
			return err
		}
		_, _ = w.Write(make([]byte, opts.Size/2))
		return w.Cancel()
	}
	if err := storetest.Store(ctx, st, opts, 50_000); err != nil {
		return err
	}
	fmt.Printf("put %d\n", n)
	old := n - 40
	if old < 0 || n%3 == 0 {
		return nil
	}
	fmt.Printf("trashing %d\n", old)
	at := time.Unix(int64(old+1000), 0)
	if err := st.Trash(ctx, opts.Satellite, []pieces.PieceID{storetest.PieceID(old)}, at); err != nil {
		return err
	}
	fmt.Printf("trashed %d\n", old)
	if n%64 != 1 {
		return nil
	}
	fmt.Printf("emptying %d\n", old-100)
	if _, err := st.EmptyTrash(ctx, opts.Satellite, time.Unix(int64(old-100+1000), 0)); err != nil {
		return err
	}
	fmt.Printf("emptied %d\n", old-100)
	return nil
}

// crashModel is what the writers said so far.
type crashModel struct {
	put, trashing, trashed map[int]bool
	emptying               int           // pieces below may be going, if they are in the trash
	doomed                 map[int][]int // by the number of an emptying: what was in the trash before it
	gone                   map[int]bool
	next                   int
}

func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	path := t.TempDir()
	m := &crashModel{
		put: map[int]bool{}, trashing: map[int]bool{}, trashed: map[int]bool{},
		doomed: map[int][]int{}, gone: map[int]bool{},
	}
	for round := range rounds {
		m.round(t, path)
		if round%3 == 2 {
			if err := logstore.Rebuild(t.Context(), crashOptions(path)); err != nil {
				t.Fatalf("rebuild: %v", err)
			}
		}
		m.verify(t, path)
	}
	if len(m.put) < rounds*10 {
		t.Fatalf("only %d pieces were stored in %d rounds", len(m.put), rounds)
	}
	t.Logf("%d pieces stored, %d trashed, %d emptied", len(m.put), len(m.trashed), len(m.gone))
}

// round lets a writer work for a random time and kills it.
func (m *crashModel) round(t *testing.T, path string) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestCrashWriter$")
	cmd.Env = append(os.Environ(), crashDirEnv+"="+path, crashBaseEnv+"="+strconv.Itoa(m.next))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killAfter := 50 + rand.IntN(1000) // lines
	m.read(t, out, killAfter, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // killed
}

func (m *crashModel) read(t *testing.T, out io.Reader, killAfter int, kill func()) {
	lines := bufio.NewScanner(out)
	for count := 0; lines.Scan(); count++ {
		if count == killAfter {
			kill() // what is still in the pipe was said before
		}
		var verb string
		var n int
		if _, err := fmt.Sscan(lines.Text(), &verb, &n); err != nil {
			continue // the last line may be cut
		}
		switch verb {
		case "put":
			m.put[n] = true
			m.next = max(m.next, n+100)
		case "trashing":
			m.trashing[n] = true
		case "trashed":
			m.trashed[n] = true
		case "emptying":
			m.emptying = max(m.emptying, n)
			for old := range m.trashed {
				if old < n {
					m.doomed[n] = append(m.doomed[n], old)
				}
			}
		case "emptied":
			for _, old := range m.doomed[n] {
				m.gone[old] = true
			}
		case "error":
			t.Errorf("writer: %s", lines.Text())
		}
	}
}

func (m *crashModel) verify(t *testing.T, path string) {
	t.Helper()
	st := mustOpen(t, crashOptions(path))
	defer func() {
		if err := st.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	sat := storetest.Satellite(0)
	for _, n := range slices.Sorted(maps.Keys(m.put)) {
		err := storetest.Verify(t.Context(), st, sat, storetest.PieceID(n), crashSize(n))
		mayBeGone := m.trashing[n] && n < m.emptying
		if errors.Is(err, pieces.ErrNotFound) && mayBeGone {
			continue
		}
		if err != nil {
			t.Errorf("piece %d: %v", n, err)
			continue
		}
		if m.gone[n] {
			t.Errorf("piece %d is still there after the trash was emptied", n)
		}
		r, err := st.Open(t.Context(), sat, storetest.PieceID(n))
		if err != nil {
			t.Errorf("piece %d: %v", n, err)
			continue
		}
		if trashed := !r.Info().Trashed.IsZero(); trashed != m.trashed[n] && trashed != m.trashing[n] {
			t.Errorf("piece %d: trashed is %v", n, trashed)
		}
		_ = r.Close()
	}
	report, err := st.Check(t.Context())
	if err != nil || !report.OK() {
		t.Errorf("check: %v, %+v", err, report)
	}
	if t.Failed() {
		t.FailNow()
	}
}
