package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/roles/command/accesses"
	"storj/roles/command/screen"
	"storj/roles/devnet"
	"storj/roles/uplink"
)

func (a *app) demoCommand() *cli.Command {
	return &cli.Command{
		Name: "demo", Category: categoryRoles,
		Usage:     "show a whole network at work: a file up, nodes killed, the file back",
		UsageText: "storj demo\nstorj demo --nodes 20 --size 1GiB",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 10, Usage: "storage nodes, each a process of its own"},
			&cli.StringFlag{Name: "size", Value: "256MB", Usage: "`SIZE` of the file"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for everything, kept afterwards; a temporary one"},
		},
		Action: a.demo,
	}
}

// demo is one showing.
type demo struct {
	*app
	procs  *devnet.Processes
	dir    string
	states map[string]devnet.NodeState // by node ID
}

func (a *app) demo(c *cli.Context) (err error) {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	size, err := config.ParseSize(c.String("size"))
	if err != nil {
		return usageErrorf("--size: %v", err)
	}
	dir, cleanup, err := workDir(c.String("dir"), "storj-demo-")
	if err != nil {
		return err
	}
	defer cleanup()
	binary, err := a.executable()
	if err != nil {
		return err
	}
	d := &demo{app: a, dir: dir}
	d.say("Starting a satellite and %s, each a process of its own, below %s", screen.Plural(c.Int("nodes"), "node"), dir)
	started := time.Now()
	d.procs, err = devnet.Spawn(c.Context, devnet.SpawnOptions{Binary: binary, Dir: dir, Nodes: c.Int("nodes")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.procs.Close()) }()
	d.say("All joined and checked in after %v. Satellite %s", time.Since(started).Round(time.Millisecond), d.procs.URL)
	return d.show(c.Context, int64(size))
}

// say prints a line at once.
func (d *demo) say(format string, args ...any) {
	d.printf("%s %s\n", d.style.Bold("==>"), fmt.Sprintf(format, args...))
	_ = d.out.Flush() // its error comes again at the end
}

func (d *demo) show(ctx context.Context, size int64) error {
	source, copied := filepath.Join(d.dir, "file"), filepath.Join(d.dir, "file-again")
	sum, err := randomFile(source, size)
	if err != nil {
		return err
	}
	d.say("A file of %s, SHA-256 %s", screen.Bytes(size), sum[:16])
	if err := d.command(ctx, "mb", "sj://demo"); err != nil {
		return err
	}
	if err := d.command(ctx, "cp", source, "sj://demo/file"); err != nil {
		return err
	}
	segments, err := d.locations(ctx)
	if err != nil {
		return err
	}
	d.say("Where its pieces went (a column is a segment of up to 64 MiB, a number a piece):")
	if err := d.printLocations(ctx, segments); err != nil {
		return err
	}
	killed, err := d.kill(segments)
	if err != nil {
		return err
	}
	first := segments[0]
	d.say("Any %d of the %d pieces of a segment are enough. Killing %d nodes: %s", first.Required, len(first.Pieces), len(killed),
		strings.Join(killed, ", "))
	if err := d.command(ctx, "cp", "sj://demo/file", copied); err != nil {
		return err
	}
	again, err := fileSum(copied)
	if err != nil {
		return err
	}
	if again != sum {
		return fmt.Errorf("the file came back with SHA-256 %s instead of %s", again, sum)
	}
	d.say("The file is back, SHA-256 %s: %s", again[:16], d.style.Bold("the same"))
	d.say("To keep a network running: `storj up`, and in another terminal `storj mb sj://photos`, `storj cp FILE sj://photos/`")
	return nil
}

// command shows and runs one command as a user of the network, on this terminal.
func (d *demo) command(ctx context.Context, args ...string) error {
	shown := make([]string, len(args))
	for i, arg := range args {
		shown[i] = strings.TrimPrefix(arg, d.dir+"/")
	}
	d.say("$ storj %s", strings.Join(shown, " "))
	cmd := exec.CommandContext(ctx, d.procs.Binary, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = d.env.Stdout, d.env.Stderr, append(d.procs.Env(), "TERM="+d.env.getenv("TERM"))
	if d.env.getenv("NO_COLOR") != "" {
		cmd.Env = append(cmd.Env, "NO_COLOR=1")
	}
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("storj %s: %w", args[0], err)
	}
	if args[0] == "cp" {
		d.say("took %v", time.Since(start).Round(time.Millisecond))
	}
	return nil
}

func (d *demo) locations(ctx context.Context) (segments []uplink.SegmentLocation, err error) {
	named, err := accesses.Store{Dir: d.procs.Config}.Find("")
	if err != nil {
		return nil, err
	}
	access, err := uplink.ParseAccess(named.Grant)
	if err != nil {
		return nil, err
	}
	project, err := uplink.Open(ctx, uplink.Config{}, access)
	if err != nil {
		return nil, err
	}
	segments, err = project.Locations(ctx, "demo", "file")
	return segments, errors.Join(err, project.Close())
}

// printLocations prints a row for each node.
func (d *demo) printLocations(ctx context.Context, segments []uplink.SegmentLocation) error {
	states, err := d.procs.States(ctx)
	if err != nil {
		return err
	}
	headings := []string{"NODE", "ADDRESS"}
	for i := range segments {
		headings = append(headings, fmt.Sprintf("S%d", i))
	}
	d.states = make(map[string]devnet.NodeState)
	t := screen.NewTable(d.out, headings...)
	slices.SortFunc(states, func(x, y devnet.NodeState) int { return strings.Compare(x.Address, y.Address) })
	for _, state := range states {
		d.states[state.ID] = state
		row := []string{state.ID[:12], state.Address}
		for _, segment := range segments {
			cell := "-"
			for _, piece := range segment.Pieces {
				if piece.NodeID == state.ID {
					cell = fmt.Sprint(piece.Number)
				}
			}
			row = append(row, cell)
		}
		t.Row(row...)
	}
	return errors.Join(t.Flush(), d.out.Flush())
}

// kill ends as many nodes as every segment tolerates, those first that hold data pieces of the first one.
func (d *demo) kill(segments []uplink.SegmentLocation) (killed []string, err error) {
	left := make([]int, len(segments)) // pieces of each segment that live
	for i, segment := range segments {
		left[i] = len(segment.Pieces)
	}
	if len(segments) == 0 {
		return nil, errors.New("the file has no pieces on nodes: take a larger one")
	}
	for _, candidate := range segments[0].Pieces {
		if !d.spares(segments, left, candidate.NodeID) {
			continue
		}
		process := d.processAt(d.states[candidate.NodeID].Address)
		if process == nil {
			return nil, fmt.Errorf("no process listens at the address of node %s", candidate.NodeID)
		}
		if err := process.Kill(); err != nil {
			return nil, err
		}
		for i, segment := range segments {
			if segment.Has(candidate.NodeID) {
				left[i]--
			}
		}
		killed = append(killed, candidate.NodeID[:12])
	}
	return killed, nil
}

// spares says whether every segment can do without a node.
func (d *demo) spares(segments []uplink.SegmentLocation, left []int, node string) bool {
	for i, segment := range segments {
		if segment.Has(node) && left[i] <= segment.Required {
			return false
		}
	}
	return true
}

func (d *demo) processAt(address string) *devnet.Process {
	for _, process := range d.procs.Nodes {
		if process.Address == address {
			return process
		}
	}
	return nil
}

// randomFile writes a file of random bytes and returns their hash in hex.
func randomFile(path string, size int64) (sum string, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	random := rand.NewChaCha8([32]byte{1, 9, 7, 0})
	_, err = io.Copy(io.MultiWriter(f, hash), io.LimitReader(random, size))
	return hex.EncodeToString(hash.Sum(nil)), err
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // read only
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	return hex.EncodeToString(hash.Sum(nil)), err
}
