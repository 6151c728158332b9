package devnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SpawnOptions describes a network of processes.
type SpawnOptions struct {
	Binary      string // storj itself
	Dir         string // everything lies below it
	Nodes       int    // 10
	Redundancy  string // auto, or required/repair/optimal/total
	RelaxedSync bool
	Capacity    string   // of each node; 100GB
	Env         []string // added to a nearly empty environment
	Debug       bool     // every peer shows metrics and health at its Process.Debug

	// Address returns host:port that node i listens on, and the satellite for -1; nil: free ports on loopback.
	Address      func(i int) string
	SatelliteEnv []string // for the satellite's process
	SatelliteSet []string // flags of its setup
	NodeSet      []string // flags of the first start of every node
	// NodeEnv is for the process of node i; nil: none.
	NodeEnv func(i int) []string
}

// Processes is a network in which each peer is a process of its own.
type Processes struct {
	Binary    string
	Dir       string
	Satellite *Process
	Nodes     []*Process
	URL       string // NodeURL of the satellite
	Config    string // configuration directory of a client that has an access
	env       []string
	opts      SpawnOptions
	given     []string // addresses
}

// Spawn sets up and starts a satellite, joins and starts nodes, and gives a client access, through the commands that a
// person would type. When it returns, every node has checked in. Close ends the processes; the data stays.
func Spawn(ctx context.Context, opts SpawnOptions) (*Processes, error) {
	if opts.Nodes == 0 {
		opts.Nodes = 10
	}
	if opts.Redundancy == "" {
		opts.Redundancy = "auto"
	}
	if opts.Capacity == "" {
		opts.Capacity = "100GB"
	}
	p := &Processes{Binary: opts.Binary, Dir: opts.Dir, Config: filepath.Join(opts.Dir, "client"), opts: opts}
	p.env = append([]string{"GOMAXPROCS=" + os.Getenv("GOMAXPROCS"), "PATH=" + os.Getenv("PATH"), "HOME=" + opts.Dir, "STORJ_CONFIG_DIR=" + p.Config}, opts.Env...)
	steps := []func(context.Context) error{p.setupSatellite, p.startNodes, p.waitForNodes, p.createAccess}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// Run executes one command as the client of this network and returns its standard output.
func (p *Processes) Run(ctx context.Context, args ...string) (string, error) {
	return run(ctx, p.Binary, p.env, args...)
}

// Env is the environment in which the client's commands run.
func (p *Processes) Env() []string { return p.env }

func (p *Processes) setupSatellite(ctx context.Context) error {
	dir := filepath.Join(p.Dir, "satellite")
	address, err := p.address(-1)
	if err != nil {
		return err
	}
	args := []string{"satellite", "setup", "--dir", dir, "--address", address, "--redundancy", p.opts.Redundancy}
	if p.opts.RelaxedSync {
		args = append(args, "--relaxed-sync")
	}
	if _, err := p.Run(ctx, append(args, p.opts.SatelliteSet...)...); err != nil {
		return err
	}
	debug, err := p.debugAddress()
	if err != nil {
		return err
	}
	p.Satellite = p.process("satellite", dir, "satellite", "run", "--dir", dir, "--debug-address", debug)
	p.Satellite.Address, p.Satellite.Debug = address, debug
	p.Satellite.AddEnv(p.opts.SatelliteEnv...)
	if err := p.Satellite.Start(); err != nil {
		return err
	}
	return p.wait(ctx, "satellite to serve", func(ctx context.Context) error {
		out, err := p.Run(ctx, "satellite", "status", "--dir", dir, "--json")
		if err != nil {
			return err
		}
		var status struct {
			URL     string `json:"url"`
			Running bool   `json:"running"`
		}
		if err := json.Unmarshal([]byte(out), &status); err != nil {
			return err
		}
		if !status.Running {
			return errors.New("not running yet")
		}
		p.URL = status.URL
		return nil
	})
}

func (p *Processes) startNodes(ctx context.Context) error {
	token, err := p.Run(ctx, "satellite", "invite", "--dir", p.Satellite.Dir, "--uses", strconv.Itoa(p.opts.Nodes))
	if err != nil {
		return err
	}
	tokenFile := filepath.Join(p.Dir, "token")
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		return err
	}
	for i := range p.opts.Nodes {
		if err := p.addNode(i, tokenFile); err != nil {
			return err
		}
	}
	return nil
}

// addNode starts node i for the first time, and fixes the arguments of later starts.
func (p *Processes) addNode(i int, tokenFile string) error {
	name := fmt.Sprintf("node%d", i)
	dir := filepath.Join(p.Dir, name)
	address, err := p.address(i)
	if err != nil {
		return err
	}
	debug, err := p.debugAddress()
	if err != nil {
		return err
	}
	first := []string{
		"node", "run", "--dir", dir, "--capacity", p.opts.Capacity, "--address", address,
		"--debug-address", debug, "--join", "@" + tokenFile,
	}
	if p.opts.RelaxedSync {
		first = append(first, "--relaxed-sync")
	}
	node := p.process(name, dir, append(first, p.opts.NodeSet...)...)
	node.Address, node.Debug = address, debug
	if p.opts.NodeEnv != nil {
		node.AddEnv(p.opts.NodeEnv(i)...)
	}
	if err := node.Start(); err != nil {
		return err
	}
	node.Args = []string{"node", "run", "--dir", dir} // the node remembers the rest
	p.Nodes = append(p.Nodes, node)
	return nil
}

// address returns what node i listens on, and the satellite for -1.
func (p *Processes) address(i int) (string, error) {
	if p.opts.Address != nil {
		return p.opts.Address(i), nil
	}
	address, err := FreeAddress(p.given...)
	if err == nil {
		p.given = append(p.given, address)
	}
	return address, err
}

func (p *Processes) process(name, dir string, args ...string) *Process {
	return &Process{Name: name, Args: args, Dir: dir, Log: filepath.Join(p.Dir, name+".log"), binary: p.Binary, env: p.env}
}

// NodeState is what the satellite says of a node.
type NodeState struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Online  bool   `json:"online"`
}

// States asks the satellite for its nodes.
func (p *Processes) States(ctx context.Context) ([]NodeState, error) {
	out, err := p.Run(ctx, "satellite", "nodes", "--dir", p.Satellite.Dir, "--json")
	if err != nil {
		return nil, err
	}
	var states []NodeState
	if err := json.Unmarshal([]byte(out), &states); err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	return states, nil
}

func (p *Processes) waitForNodes(ctx context.Context) error {
	return p.wait(ctx, "nodes to check in", func(ctx context.Context) error {
		states, err := p.States(ctx)
		if err != nil {
			return err
		}
		online := 0
		for _, s := range states {
			if s.Online {
				online++
			}
		}
		if online < p.opts.Nodes {
			return fmt.Errorf("%d of %d nodes online", online, p.opts.Nodes)
		}
		return nil
	})
}

func (p *Processes) createAccess(ctx context.Context) error {
	out, err := p.Run(ctx, "satellite", "key", "create", "devnet", "--dir", p.Satellite.Dir, "--json")
	if err != nil {
		return err
	}
	var key struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal([]byte(out), &key); err != nil || key.Key == "" {
		return fmt.Errorf("read API key from the satellite's answer: %w", errors.Join(err, errors.New("no key in it")))
	}
	keyFile, passphraseFile := filepath.Join(p.Dir, "api-key"), filepath.Join(p.Dir, "passphrase")
	if err := os.WriteFile(keyFile, []byte(key.Key), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(passphraseFile, []byte("a passphrase that nobody else knows"), 0o600); err != nil {
		return err
	}
	_, err = p.Run(ctx, "access", "create", "--satellite", p.URL, "--api-key-file", keyFile,
		"--passphrase-file", passphraseFile, "--name", "devnet", "--use")
	return err
}

// wait repeats attempt until it succeeds or a minute has passed.
func (p *Processes) wait(ctx context.Context, what string, attempt func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := attempt(ctx)
		if err == nil {
			return nil
		}
		for _, process := range append([]*Process{p.Satellite}, p.Nodes...) {
			if process != nil && !process.Running() {
				return fmt.Errorf("wait for %s: %s ended: %s", what, process.Name, strings.TrimSpace(process.LastLog()))
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, err)
		}
	}
}

// CPU is the time that all processes have used so far.
func (p *Processes) CPU() (sum time.Duration) {
	for _, process := range append([]*Process{p.Satellite}, p.Nodes...) {
		if process != nil {
			sum += process.CPU()
		}
	}
	return sum
}

// Close ends every process, nodes first, and waits for them.
func (p *Processes) Close() error {
	var errs []error
	done := make(chan error, len(p.Nodes))
	for _, node := range p.Nodes {
		go func() {
			if !node.Running() {
				done <- nil
				return
			}
			done <- node.Terminate()
		}()
	}
	for range p.Nodes {
		errs = append(errs, <-done)
	}
	if p.Satellite != nil && p.Satellite.Running() {
		errs = append(errs, p.Satellite.Terminate())
	}
	return errors.Join(errs...)
}

// debugAddress finds a TCP port on loopback that nobody uses now, if peers are to show anything.
func (p *Processes) debugAddress() (string, error) {
	if !p.opts.Debug {
		return "", nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }() // only its number was wanted
	return listener.Addr().String(), nil
}

// Ports for peers are drawn from below those that systems give to sockets without a port of their own (RFC 6335 starts
// them at 49152, Linux at 32768): such a socket could otherwise take one between our look and the peer's start.
const (
	firstPort = 15_000
	endPort   = 32_000
)

// FreeAddress finds a UDP port on loopback that nobody uses now, and that is not among those given.
func FreeAddress(given ...string) (string, error) {
	const tries = 1000
	var last error
	for range tries {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(endPort-firstPort))
		if slices.Contains(given, address) {
			continue
		}
		conn, err := net.ListenPacket("udp", address)
		if err == nil {
			return address, conn.Close()
		}
		last = err
	}
	return "", fmt.Errorf("find a free port: %w", last)
}

// Restart starts processes that have ended and waits until each node among them answers its owner.
func (p *Processes) Restart(ctx context.Context, processes ...*Process) error {
	for _, process := range processes {
		if err := process.Start(); err != nil {
			return err
		}
	}
	for _, process := range processes {
		if process == p.Satellite {
			continue
		}
		err := p.wait(ctx, process.Name+" to check in", func(ctx context.Context) error {
			out, err := p.Run(ctx, "node", "status", "--dir", process.Dir, "--json")
			if err != nil {
				return err
			}
			var status struct {
				Satellites []struct {
					LastContact time.Time `json:"last_contact"`
				} `json:"satellites"`
			}
			if err := json.Unmarshal([]byte(out), &status); err != nil {
				return err
			}
			if len(status.Satellites) == 0 || status.Satellites[0].LastContact.IsZero() {
				return errors.New("has not checked in yet")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
