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

// buildDir is where built builds; TestMain makes and removes it.
var buildDir string

// binaryVariable names a storj that is built already.
const binaryVariable = "STORJ_E2E_BINARY"

// built builds storj once for all stories with processes.
var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(binaryVariable); path != "" {
		return path, nil
	}
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

// program returns the path of storj. Stories with processes are left out of -short.
func program(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// procs is a network of processes, with a client's view of it.
type procs struct {
	*devnet.Processes
	client
}

// spawn starts a network of processes, which ends with the test.
func spawn(t *testing.T, opts devnet.SpawnOptions) *procs {
	t.Helper()
	opts.Binary = program(t)
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
	return &procs{Processes: p, client: client{t: t, start: startProcess(p.Binary, p.Env())}}
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	status         int
	took           time.Duration
}

// client types commands.
type client struct {
	t     *testing.T
	start func(ctx context.Context, args []string) (result, error)
}

// startProcess runs commands as processes.
func startProcess(binary string, env []string) func(ctx context.Context, args []string) (result, error) {
	return func(ctx context.Context, args []string) (result, error) {
		cmd := exec.CommandContext(ctx, binary, args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, env
		err := cmd.Run()
		if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
			return result{}, err
		}
		return result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}, nil
	}
}

// on returns the same client for a subtest.
func (c client) on(t *testing.T) client {
	c.t = t
	return c
}

// try runs a command to whatever end.
func (c client) try(args ...string) result {
	c.t.Helper()
	began := time.Now()
	res, err := c.start(c.t.Context(), args)
	if err != nil {
		c.t.Fatalf("storj %s: %v", strings.Join(args, " "), err)
	}
	res.took = time.Since(began)
	return res
}

// must runs a command that has to succeed.
func (c client) must(args ...string) result {
	c.t.Helper()
	res := c.try(args...)
	if res.status != 0 {
		c.t.Fatalf("storj %s: status %d\n%s%s", strings.Join(args, " "), res.status, res.stdout, res.stderr)
	}
	return res
}

// refused runs a command that has to end with a status.
func (c client) refused(status int, args ...string) result {
	c.t.Helper()
	res := c.try(args...)
	if res.status != status {
		c.t.Errorf("storj %s: status %d, want %d\n%s%s", strings.Join(args, " "), res.status, status, res.stdout, res.stderr)
	}
	return res
}

// told runs a command that has to end with a status and to say something of it.
func (c client) told(status int, text string, args ...string) result {
	c.t.Helper()
	res := c.refused(status, args...)
	if !strings.Contains(res.stderr, text) {
		c.t.Errorf("storj %s: does not say %q:\n%s", strings.Join(args, " "), text, res.stderr)
	}
	return res
}

// same fetches an object and compares it with the file that it was made of.
func (c client) same(object, source string) result {
	c.t.Helper()
	back := filepath.Join(c.t.TempDir(), "back")
	res := c.must("cp", object, back)
	if sum(c.t, back) != sum(c.t, source) {
		c.t.Fatalf("%s came back with other bytes", object)
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

// after does something once a while has passed, and is waited for.
func after(t *testing.T, delay time.Duration, what func()) (wait func()) {
	t.Helper()
	done := make(chan struct{})
	time.AfterFunc(delay, func() {
		defer close(done)
		what()
	})
	wait = func() { <-done }
	t.Cleanup(wait) // a test that fails must not end before it
	return wait
}

// until repeats attempt until it succeeds; two minutes are more than anything needs on a machine that works.
func until(t *testing.T, what string, attempt func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := attempt()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s: %v", what, err)
		}
		<-ticker.C
	}
}
