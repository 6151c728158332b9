package devnet

import "syscall"

// childAttributes puts a child into a process group of its own and ends it when this process dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
