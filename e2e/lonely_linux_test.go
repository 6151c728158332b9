package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// lonelyVariable is set in a process that has a network and mounts of its own.
const lonelyVariable = "STORJ_E2E_LONELY"

// withNetwork runs a test in a process of its own, with a network in which there is nothing but loopback, and with mounts
// that nobody else sees; both end with it. It returns true in that process. Where the system does not allow it, the test is
// skipped.
func withNetwork(t *testing.T, flags ...string) bool {
	t.Helper()
	if os.Getenv(lonelyVariable) != "" {
		return true
	}
	args := append([]string{"-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=2h"}, flags...)
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), lonelyVariable+"=1", binaryVariable+"="+program(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if testing.Verbose() {
		cmd.Stdout = io.MultiWriter(&out, os.Stdout)
	}
	cmd.Stderr = cmd.Stdout
	err := cmd.Run()
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err != nil && !exited:
		t.Skipf("no network of our own: %v", err)
	case strings.Contains(out.String(), "--- SKIP"):
		t.Skipf("in a process with a network of its own:\n%s", out.Bytes())
	case err != nil && testing.Verbose():
		t.Errorf("in a process with a network of its own: %v: see above", err)
	case err != nil:
		t.Errorf("in a process with a network of its own: %v\n%s", err, out.Bytes())
	}
	return false
}

// loopback is the loopback interface of a network of our own.
type loopback struct{ index int }

// raiseLoopback starts it.
func raiseLoopback(t *testing.T) loopback {
	t.Helper()
	const name = "lo"
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	ask := func(request uint, set uint16) uint32 {
		ifreq, err := unix.NewIfreq(name)
		if err != nil {
			t.Fatal(err)
		}
		if set != 0 {
			ifreq.SetUint16(set)
		}
		if err := unix.IoctlIfreq(fd, request, ifreq); err != nil {
			t.Skipf("interface %s: %v", name, err)
		}
		return ifreq.Uint32()
	}
	ask(unix.SIOCSIFFLAGS, unix.IFF_UP|unix.IFF_RUNNING)
	return loopback{index: int(ask(unix.SIOCGIFINDEX, 0))}
}

// give gives the machine an address, take takes it away: who listens there is cut off, and hears nothing of it.
func (l loopback) give(address netip.Addr) error {
	return l.change(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, address)
}

func (l loopback) take(address netip.Addr) error { return l.change(unix.RTM_DELADDR, 0, address) }

// change asks the kernel over netlink. Source: rtnetlink(7), netlink(7).
func (l loopback) change(kind, flags uint16, address netip.Addr) error {
	ip := address.As4()
	attribute := func(b []byte, kind uint16) []byte {
		b = binary.NativeEndian.AppendUint16(b, unix.SizeofRtAttr+uint16(len(ip)))
		return append(binary.NativeEndian.AppendUint16(b, kind), ip[:]...)
	}
	body := []byte{unix.AF_INET, 8 * byte(len(ip)), 0, unix.RT_SCOPE_UNIVERSE} // ifaddrmsg
	body = binary.NativeEndian.AppendUint32(body, uint32(l.index))
	body = attribute(attribute(body, unix.IFA_LOCAL), unix.IFA_ADDRESS)
	message := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	message = binary.NativeEndian.AppendUint16(message, kind)
	message = binary.NativeEndian.AppendUint16(message, unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	message = append(message, make([]byte, 8)...) // sequence and port: there is one question
	message = append(message, body...)

	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // it was answered
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	reply := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, reply, 0)
	switch {
	case err != nil:
		return err
	case n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(reply[4:]) != unix.NLMSG_ERROR:
		return errors.New("netlink: no answer to the question")
	}
	if errno := -int32(binary.NativeEndian.Uint32(reply[unix.SizeofNlMsghdr:])); errno != 0 {
		return fmt.Errorf("netlink: %w", syscall.Errno(errno))
	}
	return nil
}

// squeeze leaves a tmpfs no room at all, until the result is called with what it is to have then.
func squeeze(disk string) (release func(mib int) error, err error) {
	resize := func(size string) error {
		return syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size="+size)
	}
	const tries = 100
	for range tries {
		var stat syscall.Statfs_t
		if err = syscall.Statfs(disk, &stat); err != nil {
			return nil, err
		}
		used := max(1, int64(stat.Blocks-stat.Bfree)) * stat.Bsize
		// EINVAL: more was written meanwhile.
		if err = resize(fmt.Sprint(used)); !errors.Is(err, syscall.EINVAL) {
			break
		}
	}
	return func(mib int) error { return resize(fmt.Sprintf("%dm", mib)) }, err
}
