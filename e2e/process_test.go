package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"storj/roles/devnet"
)

// buildDir is where binary builds; TestMain makes and removes it.
var buildDir string

// binary builds storj once for all stories with processes.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "storj")
	out, err := exec.Command("go", "build", "-o", path, "storj").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "storj-e2e-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir) // best effort: it is in the folder for such things
	os.Exit(code)
}

// procs is a network of processes, with a client's view of it.
type procs struct {
	*devnet.Processes
	t *testing.T
}

// spawn starts a network of processes, which ends with the test. Stories with processes are left out of -short.
func spawn(t *testing.T, opts devnet.SpawnOptions) *procs {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	opts.Binary = path
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	p, err := devnet.Spawn(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, process := range append([]*devnet.Process{p.Satellite}, p.Nodes...) {
				log := process.LastLog()
				t.Logf("%s: ...%s", process.Name, log[max(0, len(log)-500):])
			}
		}
	})
	return &procs{Processes: p, t: t}
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	status         int
	took           time.Duration
}

// try runs a command as the client, to whatever end.
func (p *procs) try(args ...string) result {
	p.t.Helper()
	return p.tryContext(p.t.Context(), args...)
}

func (p *procs) tryContext(ctx context.Context, args ...string) result {
	p.t.Helper()
	start := time.Now()
	cmd := exec.CommandContext(ctx, p.Binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, p.Env()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatalf("storj %s: %v", strings.Join(args, " "), err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(start)}
}

// must runs a command that has to succeed.
func (p *procs) must(args ...string) result {
	p.t.Helper()
	res := p.try(args...)
	if res.status != 0 {
		p.t.Fatalf("storj %s: status %d\n%s%s", strings.Join(args, " "), res.status, res.stdout, res.stderr)
	}
	return res
}

// refused runs a command that has to end with a status.
func (p *procs) refused(status int, args ...string) result {
	p.t.Helper()
	res := p.try(args...)
	if res.status != status {
		p.t.Errorf("storj %s: status %d, want %d\n%s%s", strings.Join(args, " "), res.status, status, res.stdout, res.stderr)
	}
	return res
}

// randomFile makes a file of random bytes.
func randomFile(t *testing.T, size int, seed uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), fmt.Sprintf("file-%d-%d", size, seed))
	content := make([]byte, size)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	random := rand.NewChaCha8(key)
	_, _ = random.Read(content)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(content)
}

// same fetches an object and compares it with the file that it was made of.
func (p *procs) same(object, source string) result {
	p.t.Helper()
	back := filepath.Join(p.t.TempDir(), "back")
	res := p.must("cp", object, back)
	if sum(p.t, back) != sum(p.t, source) {
		p.t.Fatalf("%s came back with other bytes", object)
	}
	return res
}

// after does something once a while has passed, and is waited for.
func after(t *testing.T, delay time.Duration, what func()) (wait func()) {
	t.Helper()
	done := make(chan struct{})
	time.AfterFunc(delay, func() {
		defer close(done)
		what()
	})
	return func() { <-done }
}
