package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"storj/roles/devnet"
)

// running is a command that runs until it is told to end.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{}

	mu  sync.Mutex // guards out
	out bytes.Buffer
}

// Write implements io.Writer for both streams of the command.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

func (r *running) output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// run starts a command, which ends with the test at the latest.
func run(t *testing.T, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, ended: make(chan struct{})}
	r.cmd = exec.CommandContext(t.Context(), program(t), args...)
	r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = env, r, r
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = r.cmd.Wait() // how it ended is in its state
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it has ended, or has failed the test
		<-r.ended
	})
	return r
}

// says waits until the command has printed a text.
func (r *running) says(text string) {
	r.t.Helper()
	until(r.t, fmt.Sprintf("the command to say %q", text), func() error {
		if strings.Contains(r.output(), text) {
			return nil
		}
		select {
		case <-r.ended:
			r.t.Fatalf("it ended with status %d:\n%s", r.cmd.ProcessState.ExitCode(), r.output())
		default:
		}
		return errors.New(r.output())
	})
}

// signal sends a signal and returns the exit status.
func (r *running) signal(sig os.Signal) int {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	return r.status()
}

func (r *running) status() int {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(time.Minute):
		r.t.Fatalf("it did not end within a minute:\n%s", r.output())
	}
	return r.cmd.ProcessState.ExitCode()
}

// TestUp tells the newcomer's first minutes.
func TestUp(t *testing.T) {
	home, temp := t.TempDir(), t.TempDir()
	env := []string{"HOME=" + home, "TMPDIR=" + temp, "PATH=" + os.Getenv("PATH")}
	at := func(address string) []string {
		return []string{"up", "--nodes", "4", "--node-capacity", "1GB", "--address", address}
	}
	address, err := devnet.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	up := at(address)
	c := client{t: t, start: startProcess(program(t), env)}
	source := randomFile(t, 2<<20, 80)

	first := run(t, env, up...)
	first.says("Ctrl-C ends it")
	c.must("mb", "sj://photos")
	c.must("cp", source, "sj://photos/cat")
	second := run(t, env, up...)
	elsewhere := run(t, env, at("127.0.0.1:0")...)
	if status := second.status(); status == 0 || !strings.Contains(second.output(), "does another `storj up` run?") {
		t.Errorf("a second one at the same address ended with status %d:\n%s", status, second.output())
	}
	if status := elsewhere.status(); status != 6 || !strings.Contains(elsewhere.output(), "Another process has it open") {
		t.Errorf("a second one of the same directory ended with status %d:\n%s", status, elsewhere.output())
	}
	c.same("sj://photos/cat", source)
	if status := first.signal(syscall.SIGINT); status != 0 && status != 130 {
		t.Errorf("Ctrl-C: status %d\n%s", status, first.output())
	}
	c.told(6, "hint", "ls")

	again := run(t, env, up...)
	again.says("Ctrl-C ends it")
	c.same("sj://photos/cat", source)
	if status := again.signal(syscall.SIGTERM); status != 0 && status != 130 {
		t.Errorf("SIGTERM: status %d\n%s", status, again.output())
	}

	killed := run(t, env, at("127.0.0.1:0")...) // elsewhere: nodes and access follow
	killed.says("Ctrl-C ends it")
	c.must("cp", source, "sj://photos/dog")
	_ = killed.signal(syscall.SIGKILL)
	last := run(t, env, at("127.0.0.1:0")...)
	last.says("Ctrl-C ends it")
	c.same("sj://photos/cat", source)
	c.same("sj://photos/dog", source)
	_ = last.signal(syscall.SIGINT)
	if left := files(t, temp); len(left) > 0 {
		t.Errorf("left in the temporary directory: %q", left)
	}
}

// TestUpTemp promises a network that leaves nothing.
func TestUpTemp(t *testing.T) {
	home, temp := t.TempDir(), t.TempDir()
	env := []string{"HOME=" + home, "TMPDIR=" + temp, "PATH=" + os.Getenv("PATH")}
	up := run(t, env, "up", "--temp", "--nodes", "2", "--node-capacity", "1GB", "--address", "127.0.0.1:0")
	up.says("Ctrl-C ends it")
	c := client{t: t, start: startProcess(program(t), env)}
	source := randomFile(t, 1<<20, 81)
	c.must("mb", "sj://short")
	c.must("cp", source, "sj://short/lived")
	c.same("sj://short/lived", source)
	if status := up.signal(syscall.SIGINT); status != 0 && status != 130 {
		t.Errorf("Ctrl-C: status %d\n%s", status, up.output())
	}
	if left := files(t, temp); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestInterrupted promises that a transfer which is ended leaves no file under the final name, and that a download goes on
// where it was and leaves no other then.
func TestInterrupted(t *testing.T) {
	program(t)
	n := start(t, devnet.Options{})
	env := append([]string{"PATH=" + os.Getenv("PATH")}, n.environ...)
	source := randomFile(t, 300<<20, 82)
	n.must("mb", "sj://cut")
	n.must("cp", source, "sj://cut/object")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run("download "+sig.String(), func(t *testing.T) {
			dir := t.TempDir()
			cp := run(t, env, "cp", "sj://cut/object", filepath.Join(dir, "file"))
			until(t, "download to begin", func() error {
				if names := files(t, dir); len(names) == 0 {
					return errors.New("no file yet")
				}
				return nil
			})
			status := cp.signal(sig)
			names := files(t, dir)
			if slices.Contains(names, "file") {
				if status == 0 {
					t.Skip("it was through before the signal came")
				}
				t.Errorf("a file under the final name after status %d", status)
			}
			if sig == syscall.SIGKILL {
				return // what it was writing stays: nobody is left to remove it
			}
			if status != 130 || len(names) > 1 {
				t.Errorf("status %d, left behind %q:\n%s", status, names, cp.output())
			}
			n.on(t).must("cp", "sj://cut/object", filepath.Join(dir, "file"))
			if names := files(t, dir); !slices.Equal(names, []string{"file"}) {
				t.Errorf("left behind %q", names)
			}
		})
		t.Run("upload "+sig.String(), func(t *testing.T) {
			key := "sj://cut/" + strings.ReplaceAll(sig.String(), " ", "-")
			before := n.sent(t)
			cp := run(t, env, "cp", source, key)
			until(t, "upload to begin", func() error {
				if n.sent(t) == before {
					return errors.New("nothing sent")
				}
				return nil
			})
			status := cp.signal(sig)
			if status == 0 {
				t.Skip("it was through before the signal came")
			}
			if sig != syscall.SIGKILL && status != 130 {
				t.Errorf("status %d:\n%s", status, cp.output())
			}
			n.on(t).refused(3, "stat", key)
			n.on(t).must("cp", write(t, filepath.Join(t.TempDir(), "small"), "small"), key) // the key is free
		})
	}
}

// sent is what the nodes have taken in.
func (n *network) sent(t *testing.T) (bytes int64) {
	t.Helper()
	for i := range 4 {
		bytes += n.Node(i).Status().Traffic.BytesIn
	}
	return bytes
}
