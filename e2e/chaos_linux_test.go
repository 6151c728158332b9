package e2e

// The goroutines of the test: each worker does one thing after the other; runFaults starts a goroutine for each fault, no
// more at once than the scheme bears, and runSatelliteFaults does one after the other. When the time is up the workers end
// first, then the faults, each of which heals what it hurt. The rest is done by the test's own goroutine.

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"storj/roles/devnet"
	"storj/roles/uplink"
)

var (
	chaosFor  = flag.Duration("chaos", 8*time.Second, "how long TestChaos hurts its network")
	chaosSeed = flag.Uint64("chaos-seed", 0, "of what TestChaos does; 0: by chance")
)

const (
	chaosNodes  = 20
	chaosBucket = "plain"
	chaosKept   = "versions"
	// chaosScheme has segments committed with 12 pieces at least.
	chaosScheme = "6/11/15/20"
	// chaosImpaired is how many nodes are out of order at any instant: those that are not can rebuild every segment.
	chaosImpaired = 11 - 6
	// Nodes from chaosSmall on have a small file system of their own; the first ones have clocks that are wrong.
	chaosSmall = 17
	smallMiB   = 800
	port       = 7777
)

var clockOffsets = []string{"1h", "1h", "-1h", "-1h"}

// chaos is a network and what happens to it.
type chaos struct {
	t       *testing.T
	p       *procs
	seed    uint64
	lo      loopback
	project *uplink.Project
	dir     string
	counts

	impairedMu sync.Mutex // guards impaired
	impaired   map[int]string
	corrupted  []int // by the goroutine of runFaults; afterwards by the test's
}

// TestChaos promises that a network in which everything fails that can fail, now and then, loses and alters nothing that it
// acknowledged, and is whole again some time after that has ended.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	if !withNetwork(t, fmt.Sprint("-chaos=", *chaosFor), fmt.Sprint("-chaos-seed=", seed)) {
		return
	}
	t.Logf("for %v: -chaos-seed %d", *chaosFor, seed)
	c := startChaos(t, seed)
	workers := c.workers()
	c.hurt(workers)
	t.Logf("did:\n%s", strings.Join(c.each(), "\n"))
	logDoubts(t, workers)
	c.settle()
	c.verify("when it is whole again", workers)
	c.collect()
	c.settle()
	c.standings()
	c.killMost(chaosImpaired + 1)
	c.verify("when garbage was collected and as many nodes are gone as can be", workers)
	c.checkAll()
}

// logDoubts says why operations were not acknowledged.
func logDoubts(t *testing.T, workers []*worker) {
	for _, w := range workers {
		for _, d := range w.doubts {
			t.Logf("not acknowledged: %s: %v", d.what, d.err)
		}
	}
}

// startChaos starts the network.
func startChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{
		t: t, seed: seed, lo: raiseLoopback(t), dir: t.TempDir(),
		counts: counts{of: make(map[string]int)}, impaired: make(map[int]string),
	}
	for i := -1; i < chaosNodes; i++ {
		c.must("address", c.lo.give(c.address(i)))
		if i >= chaosSmall {
			smallDisk(t, filepath.Join(c.dir, nodeName(i)), smallMiB)
		}
	}
	c.p = spawn(t, devnet.SpawnOptions{
		Dir: c.dir, Nodes: chaosNodes, Redundancy: chaosScheme, Capacity: "40GB",
		Address:      func(i int) string { return netip.AddrPortFrom(c.address(i), port).String() },
		SatelliteEnv: []string{tune("72h")},
		SatelliteSet: []string{"--check-in-interval", "5s", "--rate-limit", "off"},
		NodeSet:      []string{"--scrub", "10s"},
		NodeEnv: func(i int) (entries []string) {
			if i < len(clockOffsets) {
				entries = append(entries, "STORJ_TEST_CLOCK="+clockOffsets[i])
			}
			return entries
		},
	})
	c.project = openGrant(t, c.p.grant())
	_, err := c.project.CreateBucket(t.Context(), chaosBucket, nil)
	c.must("make a bucket", err)
	_, err = c.project.CreateBucket(t.Context(), chaosKept, &uplink.BucketOptions{Versioning: true})
	c.must("make a bucket", err)
	return c
}

// tune has the satellite do within seconds what it does within hours.
func tune(skew string) string {
	return "STORJ_TEST_TUNE=loop=2s,look=1s,chores=5s,retry=3s,audits=40000,gc=-1s,tally=5s,skew=" + skew
}

func (c *chaos) address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 2)}) }

func (c *chaos) must(what string, err error) {
	if err != nil {
		c.t.Helper()
		c.t.Fatalf("%s: %v", what, err)
	}
}

// pause waits, but not longer than ctx.
func (c *chaos) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (c *chaos) workers() (list []*worker) {
	between := func(low, high int) func(*rand.Rand) int {
		return func(rng *rand.Rand) int { return low + rng.IntN(high-low) }
	}
	return []*worker{
		c.worker("inline", chaosBucket, 1, between(1, 4000)),
		c.worker("small", chaosBucket, 2, between(5_000, 100_000)),
		c.worker("mixed", chaosBucket, 3, between(1, 1_000_000)),
		c.worker("medium", chaosBucket, 4, between(500_000, 6<<20)),
		c.worker("large", chaosBucket, 5, between(70<<20, 130<<20)),
		c.worker("kept", chaosKept, 6, between(100, 300_000)),
	}
}

// hurt lets the workers work and everything fail, for as long as was asked for, and ends with a network in which nothing
// fails any more.
func (c *chaos) hurt(workers []*worker) {
	ctx, cancel := context.WithTimeout(c.t.Context(), *chaosFor)
	defer cancel()
	var group sync.WaitGroup
	for _, w := range workers {
		step, rest := w.step, 300*time.Millisecond
		switch w.name {
		case "kept":
			step = w.stepVersions
		case "large":
			step, rest = w.stepLarge, 20*time.Second
		}
		group.Go(func() { w.run(ctx, step, rest) })
	}
	group.Go(func() { c.runFaults(ctx) })
	group.Go(func() { c.runSatelliteFaults(ctx) })
	group.Wait()
}

// stepLarge stores a large object, reads it, and deletes it the next time.
func (w *worker) stepLarge() {
	for _, key := range []string{w.any(), w.any()} {
		if key != "" && w.live[key] != (value{}) && len(w.live) > 1 {
			w.remove(key)
		}
	}
	key := w.newKey()
	w.put(key)
	if w.live[key] != (value{}) {
		w.readBack(key)
	}
}

// impair marks a node that is in order, unless too many are not. -1: none.
func (c *chaos) impair(rng *rand.Rand, what string, from int) int {
	c.impairedMu.Lock()
	defer c.impairedMu.Unlock()
	if len(c.impaired) >= chaosImpaired {
		return -1
	}
	i := from + rng.IntN(chaosNodes-from)
	if c.impaired[i] != "" {
		return -1
	}
	c.impaired[i] = what
	return i
}

func (c *chaos) recover(i int) {
	c.impairedMu.Lock()
	defer c.impairedMu.Unlock()
	delete(c.impaired, i)
}

func (c *chaos) impairedNames() string {
	c.impairedMu.Lock()
	defer c.impairedMu.Unlock()
	return fmt.Sprint(c.impaired)
}

// fault hurts node i for a while and heals it.
type fault struct {
	name string
	from int // the first node that it can happen to
	do   func(c *chaos, ctx context.Context, i int, span time.Duration) error
}

var faults = []fault{
	{"kill", 0, func(c *chaos, ctx context.Context, i int, span time.Duration) error {
		return c.restart(ctx, c.p.Nodes[i], (*devnet.Process).Kill, span)
	}},
	{"stop", 0, func(c *chaos, ctx context.Context, i int, span time.Duration) error {
		return c.restart(ctx, c.p.Nodes[i], (*devnet.Process).Terminate, span)
	}},
	{"freeze", 0, func(c *chaos, ctx context.Context, i int, span time.Duration) error {
		if err := c.p.Nodes[i].Freeze(); err != nil {
			return err
		}
		c.pause(ctx, 3*span)
		return c.p.Nodes[i].Thaw()
	}},
	{"cut off", 0, func(c *chaos, ctx context.Context, i int, span time.Duration) error {
		if err := c.lo.take(c.address(i)); err != nil {
			return err
		}
		c.pause(ctx, 3*span)
		return c.lo.give(c.address(i))
	}},
	{"fill", chaosSmall, func(c *chaos, ctx context.Context, i int, span time.Duration) error {
		release, err := squeeze(c.p.Nodes[i].Dir)
		if err != nil {
			return err
		}
		c.pause(ctx, 3*span)
		return release(smallMiB)
	}},
}

// restart ends a process, and starts it again after a while.
func (c *chaos) restart(ctx context.Context, process *devnet.Process, end func(*devnet.Process) error, span time.Duration) error {
	if err := end(process); err != nil {
		return err
	}
	c.pause(ctx, span)
	if err := process.Start(); err != nil || process == c.p.Satellite {
		return err
	}
	return c.contact(process)
}

// contact waits until a node that was started has reached its satellite.
func (c *chaos) contact(node *devnet.Process) (err error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil && node.Running() {
		var status struct {
			Satellites []struct {
				LastContact time.Time `json:"last_contact"`
			} `json:"satellites"`
		}
		if err = c.ask(&status, "node", "status", "--dir", node.Dir); err == nil &&
			len(status.Satellites) > 0 && !status.Satellites[0].LastContact.IsZero() {
			return nil
		}
		c.pause(ctx, 300*time.Millisecond)
	}
	return fmt.Errorf("does not come back: %w: %s", errors.Join(err, ctx.Err()), node.LastLog())
}

// runFaults hurts nodes, several at once.
func (c *chaos) runFaults(ctx context.Context) {
	rng := rand.New(rand.NewPCG(c.seed, 100))
	var running sync.WaitGroup
	defer running.Wait()
	began := time.Now()
	for ctx.Err() == nil && !c.t.Failed() {
		c.pause(ctx, time.Duration(rng.Int64N(int64(700*time.Millisecond))))
		if c.mayCorrupt(time.Since(began)) {
			c.corrupt(rng)
			continue
		}
		f := faults[rng.IntN(len(faults))]
		i := c.impair(rng, f.name, f.from)
		if i < 0 {
			continue
		}
		span := 100*time.Millisecond + time.Duration(rng.Int64N(int64(1500*time.Millisecond)))
		running.Go(func() {
			if err := f.do(c, ctx, i, span); err != nil {
				c.t.Errorf("%s %s: %v", f.name, nodeName(i), err)
			}
			c.count("fault: " + f.name)
			c.recover(i)
		})
	}
}

// runSatelliteFaults kills, stops and freezes the satellite.
func (c *chaos) runSatelliteFaults(ctx context.Context) {
	rng := rand.New(rand.NewPCG(c.seed, 200))
	for {
		c.pause(ctx, 2*time.Second+time.Duration(rng.Int64N(int64(5*time.Second))))
		if ctx.Err() != nil || c.t.Failed() {
			return
		}
		var err error
		name, span := "freeze", time.Duration(rng.Int64N(int64(1500*time.Millisecond)))
		switch roll := rng.IntN(5); {
		case roll < 3:
			name, err = "kill", c.restart(ctx, c.p.Satellite, (*devnet.Process).Kill, span)
		case roll < 4:
			name, err = "stop", c.restart(ctx, c.p.Satellite, (*devnet.Process).Terminate, span)
		default:
			err = c.p.Satellite.Freeze()
			c.pause(ctx, span)
			err = errors.Join(err, c.p.Satellite.Thaw())
		}
		if err != nil {
			c.t.Errorf("%s satellite: %v", name, err)
		}
		c.count("fault of the satellite: " + name)
	}
}

// mayCorrupt says whether another node may be corrupted: one after a third of the time, and in a long test another.
func (c *chaos) mayCorrupt(passed time.Duration) bool {
	const long = time.Minute
	switch len(c.corrupted) {
	case 0:
		return passed > *chaosFor/3
	case 1:
		return *chaosFor > long && passed > *chaosFor*2/3
	}
	return false
}

// corrupt flips a bit within some pieces of a node, which stays impaired: it is not known when they are repaired.
func (c *chaos) corrupt(rng *rand.Rand) {
	i := c.impair(rng, "corrupt", 0)
	if i < 0 {
		return
	}
	flipped, err := flipPieces(filepath.Join(c.p.Nodes[i].Dir, "pieces", "logs"), rng)
	if err != nil {
		c.t.Errorf("corrupt %s: %v", nodeName(i), err)
	}
	if flipped == 0 {
		c.recover(i) // it has nothing yet: another time, another node
		return
	}
	c.t.Logf("corrupted %d pieces of %s", flipped, nodeName(i))
	c.corrupted = append(c.corrupted, i)
}

// flipPieces flips a bit in the bodies of a few pieces. Source: the format in package pieces/logstore.
func flipPieces(dir string, rng *rand.Rand) (flipped int, err error) {
	const headerSize, block, few = 100, 32 << 10, 8
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, path := range logs {
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return flipped, err
		}
		header, proof, one := make([]byte, headerSize), make([]byte, 2), make([]byte, 1)
		for at, end := int64(0), int64(0); flipped < few; at = end {
			if _, err := file.ReadAt(header, at); err != nil {
				break // the end
			}
			size := int64(binary.BigEndian.Uint32(header[12:]))
			footer := at + headerSize + size + 4*((size+block-1)/block)
			if _, err := file.ReadAt(proof, footer); err != nil || size == 0 {
				break // being written
			}
			end = footer + 2 + int64(binary.BigEndian.Uint16(proof)) + 4
			if rng.IntN(3) > 0 {
				continue
			}
			place := at + headerSize + rng.Int64N(size)
			if _, err := file.ReadAt(one, place); err != nil {
				break
			}
			one[0] ^= 1 << rng.IntN(8)
			if _, err := file.WriteAt(one, place); err != nil {
				return flipped, errors.Join(err, file.Close())
			}
			flipped++
		}
		if err := file.Close(); err != nil {
			return flipped, err
		}
	}
	return flipped, err
}

// verify compares everything with what it must be.
func (c *chaos) verify(when string, workers []*worker) {
	began, objects, doubts := time.Now(), 0, 0
	for _, w := range workers {
		w.verify()
		objects += len(w.live)
		doubts += len(w.doubts)
	}
	c.t.Logf("%s: %d objects, %d operations in doubt, compared in %v", when, objects, doubts, time.Since(began))
	if c.t.Failed() {
		c.t.Fatalf("%s, things are not as they must be", when)
	}
}

// killMost kills nodes that were not corrupted. As every segment has more pieces than repair begins at, it can be read
// without one node more than were ever out of order at once; but not if pieces of others are damaged and were not repaired.
func (c *chaos) killMost(count int) {
	for i, node := range c.p.Nodes {
		if count > 0 && !slices.Contains(c.corrupted, i) {
			c.must("kill", node.Kill())
			count--
		}
	}
}

// checkAll ends all processes and checks what they left.
func (c *chaos) checkAll() {
	c.must("stop", c.p.Close())
	c.p.must("satellite", "check", "--dir", c.p.Satellite.Dir)
	for i, node := range c.p.Nodes {
		res := c.p.try("node", "check", "--dir", node.Dir)
		if res.status != 0 && !slices.Contains(c.corrupted, i) {
			c.t.Errorf("check of %s:\n%s%s", node.Name, res.stdout, res.stderr)
		} else if res.status != 0 {
			c.t.Logf("check of %s, which was corrupted:\n%s", node.Name, res.stdout)
		}
	}
	for _, process := range append([]*devnet.Process{c.p.Satellite}, c.p.Nodes...) {
		raw, err := os.ReadFile(process.Log)
		c.must("read the log", err)
		for _, word := range []string{"panic:", "fatal error:", "SIGSEGV", "DATA RACE", "goroutine 1 ["} {
			if strings.Contains(string(raw), word) {
				c.t.Errorf("%s says %q; see %s", process.Name, word, keep(c.t, process.Log))
			}
		}
	}
}

// keep copies a file to where it outlives the test.
func keep(t *testing.T, path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	file, err := os.CreateTemp("", "chaos-*-"+filepath.Base(path))
	if err != nil {
		return err.Error()
	}
	_, err = file.Write(raw)
	if err := errors.Join(err, file.Close()); err != nil {
		return err.Error()
	}
	t.Logf("kept %s", file.Name())
	return file.Name()
}
