package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is one peer that runs as a process of its own and can be started again after it ended.
type Process struct {
	Name    string   // satellite, node3
	Args    []string // after the binary
	Dir     string   // its data
	Address string   // host:port that it was told to listen on
	Debug   string   // host:port of its metrics and health over HTTP; empty: none
	Log     string   // file that stdout and stderr are appended to

	binary string
	env    []string

	mu     sync.Mutex // guards the fields below
	cmd    *exec.Cmd
	ended  chan struct{}
	cpu    time.Duration // of runs that have ended
	frozen bool
}

// AddEnv adds NAME=value to the environment of the next start; the last entry of a name counts.
func (p *Process) AddEnv(entries ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env = append(slices.Clip(p.env), entries...)
}

// Start runs the process. It does not wait for it to serve.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return fmt.Errorf("%s is running", p.Name)
	}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the child has its own
	cmd := exec.Command(p.binary, p.Args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, p.env
	// A child must not outlive us, and a Ctrl-C at our terminal is ours to pass on.
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.frozen = cmd, ended, false
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		p.mu.Lock()
		p.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		p.cmd = nil
		p.mu.Unlock()
		close(ended)
	}()
	return nil
}

// Running says whether the process runs.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}

// PID is the process ID, 0 when it does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *Process) signal(sig syscall.Signal) (<-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil, fmt.Errorf("%s is not running", p.Name)
	}
	return p.ended, p.cmd.Process.Signal(sig)
}

// Kill ends the process at once, as a power cut would, and waits for that.
func (p *Process) Kill() error {
	ended, err := p.signal(syscall.SIGKILL)
	if err != nil {
		return err
	}
	<-ended
	return nil
}

// Terminate asks the process to end and waits for it; one that takes longer than a minute is killed.
func (p *Process) Terminate() error {
	if p.isFrozen() {
		_ = p.Thaw() // best effort: a stopped process cannot end by itself
	}
	ended, err := p.signal(syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(fmt.Errorf("%s did not end within a minute", p.Name), p.Kill())
	}
}

func (p *Process) isFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen
}

// Freeze stops the process where it is, its sockets open; Thaw lets it go on.
func (p *Process) Freeze() error {
	_, err := p.signal(syscall.SIGSTOP)
	p.mu.Lock()
	p.frozen = err == nil
	p.mu.Unlock()
	return err
}

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error {
	_, err := p.signal(syscall.SIGCONT)
	p.mu.Lock()
	p.frozen = false
	p.mu.Unlock()
	return err
}

// CPU is the user and system time of all runs so far.
func (p *Process) CPU() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return p.cpu
	}
	return p.cpu + ProcessCPU(p.cmd.Process.Pid)
}

// ProcessCPU is the user and system time of a running process, 0 when unknown. Source: /proc/PID/stat, in steps of 10 ms.
func ProcessCPU(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
	_, rest, _ := strings.Cut(string(raw), ") ")
	fields := strings.Fields(rest)
	const utime, stime, hertz = 11, 12, 100
	if len(fields) <= stime {
		return 0
	}
	user, _ := strconv.ParseInt(fields[utime], 10, 64)
	system, _ := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * time.Second / hertz
}

// RSS is the resident memory in bytes, 0 when unknown.
func (p *Process) RSS() int64 { return ResidentBytes(p.PID()) }

// ResidentBytes is the resident memory of a process, 0 when unknown.
func ResidentBytes(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(raw, []byte("VmRSS:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10
}

// LastLog returns the end of the process's log, for error messages.
func (p *Process) LastLog() string {
	const tail = 2 << 10
	raw, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	if len(raw) > tail {
		raw = raw[len(raw)-tail:]
	}
	return string(raw)
}

// run executes one command of the binary to its end and returns its standard output.
func run(ctx context.Context, binary string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &stdout, &stderr, env
	cmd.SysProcAttr = childAttributes()
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args[:min(len(args), 3)], " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
