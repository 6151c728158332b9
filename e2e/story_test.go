package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"storj/netx/identity"
	"storj/netx/memnet"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/roles/command"
	"storj/roles/satellite"
	"storj/roles/satellite/placement"
	"storj/roles/storagenode"
	"storj/roles/uplink"
)

var updateStory = flag.Bool("update", false, "rewrite testdata/story.txt")

const (
	storyNodes   = 10
	storyLiar    = 6
	storyObjects = 40
)

// story is a network within a bubble of virtual time, with disks that are real, and what its owner sees of it.
type story struct {
	scrub   time.Duration
	t       *testing.T
	ctx     context.Context
	dir     string
	network *memnet.Network
	sat     *satellite.Satellite
	wire    *memnet.Transport // of the satellite
	nodes   [storyNodes]*storagenode.Node
	liar    *liar
	lies    bool
	settled time.Time // when the last of those who were to be known was
	wiped   []int
	project *uplink.Project
	objects map[string][]byte
	running sync.WaitGroup
	said    strings.Builder // what the owner saw
}

// TestStory: ten nodes, data in, three disks wiped one after another, a liar among the others. Nobody gives a command. The
// network is whole again, the liar found, and `storj satellite health` has told what happened.
func TestStory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes ten stores on disk, for weeks")
	}
	synctest.Test(t, func(t *testing.T) {
		s := startStory(t, "auto", 0)
		defer s.end()
		s.store()
		s.pass(3 * time.Hour)
		s.look("Ten nodes, and data on them.")
		for i, victim := range []int{1, 4, 8} {
			s.wipe(victim)
			s.whole()
			s.look(fmt.Sprintf("The disk of %s was wiped.", nodeName(victim)))
			if i == 0 {
				s.liar.alter(t, s.sat.URL().ID)
				s.lies = true
			}
		}
		s.golden(filepath.Join("testdata", "story.txt"))
	})
}

// startStory starts a network of that redundancy, whose nodes read everything once in scrub; 0: never.
func startStory(t *testing.T, redundancy string, scrub time.Duration) *story {
	s := &story{t: t, scrub: scrub, dir: t.TempDir(), network: memnet.New(1), objects: make(map[string][]byte)}
	var stop context.CancelFunc
	s.ctx, stop = context.WithCancel(t.Context())
	id := s.identity(filepath.Join(s.dir, "satellite"), "identity.key")
	s.wire = s.network.Transport(id.ID())
	profile, err := placement.ParseProfile(redundancy)
	s.must(err)
	sat, err := satellite.New(s.ctx, satellite.Options{
		Identity: id, Transport: s.wire, Redundancy: profile, DBPath: filepath.Join(s.dir, "satellite", "satellite.db"), Relaxed: true, RateLimit: -1,
		Version: "v1",
	})
	s.must(err)
	s.sat = sat
	s.running.Go(func() { s.must(sat.Run(s.ctx)) })
	<-sat.Ready()
	s.must(os.WriteFile(filepath.Join(s.dir, "satellite", "satellite.addr"), []byte(s.wire.Address()+"\n"), 0o600))
	s.liar = &liar{Store: memstore.New(memstore.Options{Capacity: 1 << 40})}
	for i := range s.nodes {
		s.join(i)
	}
	t.Cleanup(stop)
	s.pass(time.Minute)
	s.open()
	return s
}

func (s *story) must(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatal(err)
	}
}

func (s *story) identity(dir, name string) *identity.Identity {
	id, err := identity.Generate()
	s.must(err)
	s.must(os.MkdirAll(dir, 0o700))
	s.must(id.Save(filepath.Join(dir, name)))
	return id
}

// pass lets time go by.
func (s *story) pass(d time.Duration) { time.Sleep(d) }

func (s *story) join(i int) {
	text, err := s.sat.Admin().CreateToken(s.ctx, 1, time.Hour)
	s.must(err)
	token, err := pieces.ParseJoinToken(text)
	s.must(err)
	dir := filepath.Join(s.dir, nodeName(i))
	id := s.identity(dir, "node.key")
	opts := storagenode.Options{
		Dir: dir, Disks: []storagenode.Disk{{Path: s.disk(i), Capacity: 100 << 30}}, RelaxedSync: true, Scrub: s.scrub,
		Identity: id, Transport: s.network.Transport(id.ID()), Version: "v1", Join: []pieces.JoinToken{token},
	}
	if i == storyLiar {
		opts.Disks, opts.Store = nil, s.liar
	}
	s.nodes[i], err = storagenode.New(s.ctx, opts)
	s.must(err)
	s.running.Go(func() { s.must(s.nodes[i].Run(s.ctx)) })
}

func (s *story) disk(i int) string { return filepath.Join(s.dir, nodeName(i), "pieces") }

// wipe empties the disk of a node, which goes on running.
func (s *story) wipe(i int) {
	s.must(os.RemoveAll(s.disk(i)))
	s.wiped = append(s.wiped, i)
	s.settled = time.Time{}
}

func (s *story) open() {
	admin := s.sat.Admin()
	_, err := admin.CreateProject(s.ctx, "photos")
	s.must(err)
	key, err := admin.CreateAPIKey(s.ctx, "photos", "laptop")
	s.must(err)
	id, err := identity.Generate()
	s.must(err)
	config := uplink.Config{Transport: s.network.Transport(id.ID())}
	access, err := uplink.RequestAccess(s.ctx, config, s.sat.URL().String(), key, []byte("correct horse"))
	s.must(err)
	s.project, err = uplink.Open(s.ctx, config, access)
	s.must(err)
	_, err = s.project.CreateBucket(s.ctx, "photos", nil)
	s.must(err)
}

func (s *story) store() {
	for i := range storyObjects {
		key, content := fmt.Sprintf("%03d.jpg", i), make([]byte, 20_000+5_000*i)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(content) // never fails
		_, err := s.project.Put(s.ctx, "photos", key, bytes.NewReader(content), nil)
		s.must(err)
		s.objects[key] = content
	}
}

// whole waits until the network is whole: those whose disks are gone are known, and so is the liar, and each segment has
// more pieces than repair needs to begin, or one on each of the nodes that are left. Then everything is read back.
func (s *story) whole() {
	began := time.Now()
	for {
		s.pass(time.Hour)
		reason := s.missing()
		if reason == "" {
			s.t.Logf("whole after %v", time.Since(began))
			break
		}
		if time.Since(began) > 14*24*time.Hour {
			s.t.Fatalf("not whole after %v: %s", time.Since(began), reason)
		}
	}
	for key, content := range s.objects {
		got, _, err := read(s.ctx, s.project, "photos", key)
		if err != nil || !bytes.Equal(got, content) {
			s.t.Fatalf("%s: %v", key, err)
		}
	}
}

// missing says what keeps the network from being whole, or "".
func (s *story) missing() string {
	const required, repair = 4, 6
	gone := len(s.wiped)
	for _, i := range s.wiped {
		if s.state(i) == pieces.Healthy {
			return nodeName(i) + " passes for healthy"
		}
	}
	if s.lies {
		if s.state(storyLiar) != pieces.Quarantined {
			return "the liar is not caught"
		}
		gone++
	}
	for i := range s.nodes {
		if s.state(i) != pieces.Healthy && !slices.Contains(s.wiped, i) && i != storyLiar {
			s.t.Fatalf("%s is honest, and %s: %s", nodeName(i), s.state(i), s.sat.Book().Standing(s.nodes[i].ID()).Reason)
		}
	}
	if s.settled.IsZero() {
		s.settled = time.Now()
	}
	health := s.sat.Durability().Health()
	if health.At.Before(s.settled) || len(health.Margins) == 0 || health.Segments != storyObjects || len(health.Repair.Running) > 0 {
		return "being counted or repaired"
	}
	if least := health.Margins[0].Margin; least < int64(min(repair+1, storyNodes-gone))-required {
		return fmt.Sprintf("%d segments have only %d pieces to spare", health.Margins[0].Segments, least)
	}
	if health.Repair.Waiting > 0 && storyNodes-gone > repair {
		return "segments wait"
	}
	return ""
}

func (s *story) state(i int) pieces.State { return s.sat.Book().Standing(s.nodes[i].ID()).State }

// look has the owner look, and notes what there is to be seen.
func (s *story) look(when string) {
	var stdout, stderr bytes.Buffer
	status := command.Main(s.ctx, command.Env{
		Args:  []string{"storj", "satellite", "health", "--dir", filepath.Join(s.dir, "satellite")},
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Environ: []string{"HOME=" + s.dir}, Transport: s.wire,
	})
	if status != 0 {
		s.t.Fatalf("health: status %d: %s", status, stderr.Bytes())
	}
	fmt.Fprintf(&s.said, "# %s\n$ storj satellite health\n%s\n", when, stdout.Bytes())
}

// golden compares what was said with what is recorded: how each look begins, and whether it tells of all that had happened.
// Names are those of the test; when and how much is left to chance.
func (s *story) golden(path string) {
	text := strings.ReplaceAll(s.said.String(), s.dir, "/mnt")
	for i, node := range s.nodes {
		text = strings.ReplaceAll(text, node.ID().Short(), nodeName(i))
	}
	s.t.Log("\n" + text)
	if *updateStory {
		s.must(os.WriteFile(path, []byte(text), 0o644))
	}
	recorded, err := os.ReadFile(path)
	s.must(err)
	if got, want := essence(text), essence(string(recorded)); got != want {
		s.t.Errorf("the story is told otherwise than %s has it; -update records it anew\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

var (
	storyTold   = regexp.MustCompile(`(node\d+ (says: storage disk failed|suspended: faulty|quarantined: altered))|repair finished`)
	storyNumber = regexp.MustCompile(`\d+`)
	storyWhen   = regexp.MustCompile(`^\d{4}-\d\d-\d\dT[0-9:]+Z +`)
)

// essence is what every telling has: headings and the sentence without numbers, and the sorted kinds of events about nodes.
func essence(text string) string {
	var lines, told []string
	flush := func() {
		slices.Sort(told)
		lines = append(lines, slices.Compact(told)...)
		told = nil
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		event := storyWhen.ReplaceAllString(line, "")
		switch {
		case strings.HasPrefix(line, "#"):
			flush()
			lines = append(lines, line)
		case event != line && !strings.Contains(event, "joined"): // those are pushed out by later ones
			if match := storyTold.FindString(event); match != "" {
				told = append(told, "  "+match)
			}
		case strings.HasPrefix(line, "good: "), strings.HasPrefix(line, "watch: "), strings.HasPrefix(line, "bad: "):
			lines = append(lines, storyNumber.ReplaceAllString(line, "N"))
		}
	}
	flush()
	return strings.Join(lines, "\n")
}

func (s *story) end() {
	s.must(s.project.Close())
	for _, node := range s.nodes {
		s.must(node.Close())
	}
	s.must(s.sat.Close())
	s.running.Wait()
}
