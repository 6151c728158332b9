package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/ecenc"
	"storj/metainfo"
	"storj/netx"
	"storj/roles/bench"
	"storj/roles/command/accesses"
	"storj/roles/command/screen"
	"storj/roles/devnet"
	"storj/roles/satellite/placement"
	"storj/roles/uplink"
)

func (a *app) benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Category: categoryOther,
		Usage: "measure a network: MB/s, operations a second, latencies, CPU and bytes spent",
		UsageText: "storj bench                          # the network of the current access, from here\n" +
			"storj bench --network --nodes 10     # a network of processes made for it, beside bare QUIC streams\n" +
			"storj bench --embedded               # a network inside this process",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "size", Value: "64MiB", DefaultText: "64MiB, with --network 1GiB", Usage: "`SIZE` of the large object"},
			&cli.IntFlag{Name: "count", Value: 200, Usage: "objects of each small size"},
			&cli.IntFlag{Name: "workers", Value: 16, Usage: "small operations at once"},
			&cli.BoolFlag{Name: "network", Usage: "start a network of processes on this machine and measure it whole"},
			&cli.BoolFlag{Name: "embedded", Usage: "start a network inside this process and measure it"},
			&cli.IntFlag{Name: "nodes", Value: 10, Usage: "nodes of the network started"},
			&cli.StringFlag{Name: "redundancy", Value: "auto", Usage: "auto or required/repair/optimal/total, of the network started"},
			&cli.BoolFlag{Name: "relaxed-sync", Usage: "the network started does not wait for disks"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for the data of the network started; a temporary one"},
			jsonOutput(),
		},
		Action: a.bench,
		Subcommands: []*cli.Command{{
			Name: "peer", Hidden: true, Usage: "a peer of the bare QUIC baseline; prints its address and serves",
			Action: func(c *cli.Context) error {
				return bench.ServeBare(c.Context, func(url netx.NodeURL) {
					a.printf("%s\n", url)
					_ = a.out.Flush() // whoever started us sees the end of the pipe
				})
			},
		}},
	}
}

// benchReport is all that bench prints.
type benchReport struct {
	*bench.Report
	Bare       []bench.Transfer `json:"bare,omitempty"` // the same piece bytes over bare QUIC streams
	Redundancy string           `json:"redundancy,omitempty"`
	Nodes      int              `json:"nodes,omitempty"`
	Fsync      time.Duration    `json:"fsync_ns,omitempty"` // of 4 KiB on the disk of --network
	Resident   map[string]int64 `json:"resident_bytes,omitempty"`
}

func (a *app) bench(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	size, err := config.ParseSize(c.String("size"))
	if err != nil {
		return usageErrorf("--size: %v", err)
	}
	opts := bench.Options{Large: int64(size), Small: max(1, c.Int("count")), Workers: max(1, c.Int("workers"))}
	if !c.IsSet("size") && c.Bool("network") {
		opts.Large = 1 << 30
	}
	if a.env.Terminal.Stderr {
		opts.Progress = func(what string) { a.errorLine("measuring: %s", what) }
	}
	report := &benchReport{}
	switch {
	case c.Bool("network") && c.Bool("embedded"):
		return usageErrorf("--network and --embedded contradict each other")
	case c.Bool("network"):
		err = a.benchNetwork(c, opts, report)
	case c.Bool("embedded"):
		err = a.benchEmbedded(c, opts, report)
	default:
		err = a.withProject(c, func(ctx context.Context, p *uplink.Project) (err error) {
			report.Report, err = bench.Run(ctx, p, opts)
			return err
		})
	}
	if err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		return a.printIndented(report)
	}
	return a.printBench(report)
}

// benchEmbedded measures a network inside this process.
func (a *app) benchEmbedded(c *cli.Context, opts bench.Options, report *benchReport) (err error) {
	dir, cleanup, err := workDir(c.String("dir"), "storj-bench-")
	if err != nil {
		return err
	}
	defer cleanup()
	redundancy, err := benchRedundancy(c.String("redundancy"), c.Int("nodes"))
	if err != nil {
		return err
	}
	network, err := devnet.Start(c.Context, devnet.Options{
		Dir: dir, Nodes: c.Int("nodes"), Redundancy: c.String("redundancy"), RelaxedSync: c.Bool("relaxed-sync"),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	report.Redundancy, report.Nodes, report.Fsync = redundancy.String(), c.Int("nodes"), bench.Fsync(dir)
	project, err := network.Open(c.Context)
	if err != nil {
		return err
	}
	report.Report, err = bench.Run(c.Context, project, opts)
	return errors.Join(err, project.Close())
}

// benchNetwork measures a network of processes and then the same bytes over bare streams between as many processes.
func (a *app) benchNetwork(c *cli.Context, opts bench.Options, report *benchReport) (err error) {
	dir, cleanup, err := workDir(c.String("dir"), "storj-bench-")
	if err != nil {
		return err
	}
	defer cleanup()
	binary, err := a.executable()
	if err != nil {
		return err
	}
	redundancy, err := benchRedundancy(c.String("redundancy"), c.Int("nodes"))
	if err != nil {
		return err
	}
	report.Redundancy, report.Nodes, report.Fsync = redundancy.String(), c.Int("nodes"), bench.Fsync(dir)
	procs, err := devnet.Spawn(c.Context, devnet.SpawnOptions{
		Binary: binary, Dir: dir, Nodes: c.Int("nodes"), Redundancy: c.String("redundancy"), RelaxedSync: c.Bool("relaxed-sync"),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, procs.Close()) }()
	report.Resident = map[string]int64{"idle satellite": procs.Satellite.RSS(), "idle node": procs.Nodes[0].RSS()}
	if err := a.benchProject(c.Context, procs, opts, report); err != nil {
		return err
	}
	report.Resident["satellite afterwards"], report.Resident["node afterwards"] = procs.Satellite.RSS(), procs.Nodes[0].RSS()
	if err := procs.Close(); err != nil {
		return err
	}
	report.Bare, err = a.benchBare(c.Context, binary, redundancy, c.Int("nodes"), opts.Large)
	return err
}

func (a *app) benchProject(ctx context.Context, procs *devnet.Processes, opts bench.Options, report *benchReport) error {
	named, err := accesses.Store{Dir: procs.Config}.Find("")
	if err != nil {
		return err
	}
	access, err := uplink.ParseAccess(named.Grant)
	if err != nil {
		return err
	}
	project, err := uplink.Open(ctx, uplink.Config{}, access)
	if err != nil {
		return err
	}
	opts.OtherCPU = procs.CPU
	report.Report, err = bench.Run(ctx, project, opts)
	return errors.Join(err, project.Close())
}

// benchRedundancy is the scheme that a network of so many nodes uses.
func benchRedundancy(setting string, nodes int) (ecenc.Redundancy, error) {
	profile, err := placement.ParseProfile(setting)
	if err != nil {
		return ecenc.Redundancy{}, usageErrorf("--redundancy: %v", err)
	}
	return profile.For(nodes), nil
}

// benchBare moves what a transfer of size bytes puts on the wire at the least.
func (a *app) benchBare(ctx context.Context, binary string, r ecenc.Redundancy, nodes int, size int64) ([]bench.Transfer, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	peers, cpu, wait, err := startPeers(ctx, binary, nodes)
	if err != nil {
		return nil, err
	}
	defer wait()
	defer stop()
	segments := (size + metainfo.SegmentCipherSize - 1) / metainfo.SegmentCipherSize
	segment := size / segments
	piece := r.WithShareSize(segment).PieceSize(segment)
	up := bench.BareLoad{Name: "bare upload", Useful: size, Rounds: segments, Peers: r.Optimal, Piece: piece}
	down := bench.BareLoad{Name: "bare download", Useful: size, Rounds: segments, Peers: r.Required, Piece: piece, Get: true}
	return bench.Bare(ctx, peers, up, down, cpu)
}

// startPeers runs peers of the baseline until ctx ends; wait waits for that.
func startPeers(ctx context.Context, binary string, count int) (peers []netx.NodeURL, cpu func() time.Duration, wait func(), err error) {
	var pids []int
	var commands []*exec.Cmd
	wait = func() {
		for _, cmd := range commands {
			_ = cmd.Wait() // ended by us
		}
	}
	for range count {
		cmd := exec.CommandContext(ctx, binary, "bench", "peer")
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return nil, nil, wait, fmt.Errorf("start bare peer: %w", err)
		}
		commands = append(commands, cmd)
		pids = append(pids, cmd.Process.Pid)
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			return nil, nil, wait, fmt.Errorf("start bare peer: %w", err)
		}
		peer, err := netx.ParseNodeURL(line)
		if err != nil {
			return nil, nil, wait, err
		}
		peers = append(peers, peer)
	}
	cpu = func() (sum time.Duration) {
		for _, pid := range pids {
			sum += devnet.ProcessCPU(pid)
		}
		return sum
	}
	return peers, cpu, wait, nil
}

func (a *app) printBench(r *benchReport) error {
	if r.Nodes > 0 {
		a.printf("%d nodes, %s; fsync of 4 KiB %v; CPU of all processes together\n\n", r.Nodes, r.Redundancy, r.Fsync.Round(time.Microsecond))
	} else {
		a.printf("CPU of this process only\n\n")
	}
	t := screen.NewTable(a.out, "TRANSFER", "SIZE", "TIME", "MB/S", "CPU-S/GIB", "WIRE/USEFUL", "CPU/BARE")
	for i, x := range append(append([]bench.Transfer{}, r.Transfers...), r.Bare...) {
		ratio := ""
		if i < len(r.Bare) {
			ratio = fmt.Sprintf("%.2f", x.CPUPerGiB()/r.Bare[i].CPUPerGiB())
		}
		t.Row(x.Name, screen.Bytes(x.Bytes), x.Wall.Round(time.Millisecond).String(), fmt.Sprintf("%.0f", x.MegabytesPerSecond()),
			fmt.Sprintf("%.2f", x.CPUPerGiB()), fmt.Sprintf("%.3f", x.Expansion()), ratio)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	a.printf("\n")
	t = screen.NewTable(a.out, "OPERATION", "COUNT", "P50", "P99", "PER SECOND", "CPU-MS", "CPU-MS ALONE", "PIECES ASKED")
	for _, o := range r.Operations {
		t.Row(o.Name, fmt.Sprint(o.Count), o.P50.Round(time.Microsecond).String(), o.P99.Round(time.Microsecond).String(),
			fmt.Sprintf("%.0f", o.PerSecond), fmt.Sprintf("%.2f", o.CPU.Seconds()*1e3), fmt.Sprintf("%.2f", o.Alone.Seconds()*1e3),
			fmt.Sprintf("%.1f", o.Asked))
	}
	if err := t.Flush(); err != nil || len(r.Resident) == 0 {
		return err
	}
	a.printf("\n")
	t = screen.NewTable(a.out, "RESIDENT", "")
	for _, name := range []string{"idle satellite", "idle node", "satellite afterwards", "node afterwards"} {
		t.Row(name, screen.Bytes(r.Resident[name]))
	}
	return t.Flush()
}

// executable is the path of this program.
func (a *app) executable() (string, error) {
	if a.env.Executable != "" {
		return a.env.Executable, nil
	}
	return os.Executable()
}

// workDir returns dir, made if need be, or a temporary one that cleanup deletes.
func workDir(dir, pattern string) (path string, cleanup func(), err error) {
	if dir = strings.TrimSpace(dir); dir != "" {
		return dir, func() {}, os.MkdirAll(dir, 0o700)
	}
	path, err = os.MkdirTemp("", pattern)
	return path, func() { _ = os.RemoveAll(path) }, err // best effort: it is in the folder for such things
}
