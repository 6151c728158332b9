package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"storj/roles/devnet"
	"storj/roles/uplink"
)

// TestSatelliteKilledInTheMiddleOfUploads promises that a client waits for a satellite which comes back within seconds.
func TestSatelliteKilledInTheMiddleOfUploads(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Nodes: 6})
	source := randomFile(t, 80<<20, 50) // two segments
	p.must("mb", "sj://stories")
	healthy := p.must("cp", source, "sj://stories/healthy").took
	for round := range 5 {
		delay := time.Duration(rand.Int64N(int64(healthy)))
		object := fmt.Sprintf("sj://stories/file-%d", round)
		wait := after(t, delay, func() {
			if err := p.Satellite.Kill(); err != nil {
				t.Error(err)
			}
			<-time.After(time.Second) // what a supervisor takes
			if err := p.Satellite.Start(); err != nil {
				t.Error(err)
			}
		})
		took := p.must("cp", source, object).took
		wait()
		t.Logf("round %d: killed after %v; took %v, healthy %v", round, delay, took, healthy)
		p.same(object, source)
	}
}

// grant is the access of the network's client.
func (p *procs) grant() string { return strings.TrimSpace(p.must("access", "export").stdout) }

// all are the processes of the network.
func (p *procs) all() []*devnet.Process { return append([]*devnet.Process{p.Satellite}, p.Nodes...) }

// killAll ends every process at once.
func (p *procs) killAll() {
	var killing sync.WaitGroup
	for _, process := range p.all() {
		killing.Go(func() {
			if err := process.Kill(); err != nil {
				p.t.Error(err)
			}
		})
	}
	killing.Wait()
}

// TestEverythingKilledInTheMiddleOfUploads kills all processes at once, again and again, while clients store: every object
// that was acknowledged reads back bit for bit; one that was not is absent or whole.
func TestEverythingKilledInTheMiddleOfUploads(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Nodes: 6})
	p.must("mb", "sj://ledger")
	grant := p.grant()
	ledger := &ledger{acknowledged: map[string]bool{}, versions: map[string]span{}}
	for round := range rounds {
		delay := 100*time.Millisecond + rand.N(1500*time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		for w := range 3 {
			project := openGrant(t, grant)
			writing.Go(func() {
				ledger.write(ctx, project, round, w)
				_ = project.Close() // best effort: its satellite is gone
			})
		}
		<-time.After(delay)
		p.killAll()
		cancel()
		writing.Wait()
		if err := p.Restart(t.Context(), p.all()...); err != nil {
			t.Fatal(err)
		}
		stored, unsure := ledger.verify(t, openGrant(t, grant), fmt.Sprintf("%d-", round))
		t.Logf("round %d: killed after %v; %d objects acknowledged, %d not", round, delay, stored, unsure)
	}
	if stored, _ := ledger.verify(t, openGrant(t, grant), ""); stored == 0 {
		t.Error("nothing was ever acknowledged: the story tells nothing")
	}
	if out := p.must("satellite", "status", "--dir", p.Satellite.Dir, "--json").stdout; !strings.Contains(out, `"nodes_online": 6`) {
		t.Errorf("status: %s", out)
	}
	p.killAll()
	for _, node := range p.Nodes {
		p.must("node", "check", "--dir", node.Dir)
	}
	p.must("satellite", "check", "--dir", p.Satellite.Dir)
}

// ledger notes what clients were told of what they stored.
type ledger struct {
	mu           sync.Mutex // guards the fields below
	acknowledged map[string]bool
	versions     map[string]span // of objects that are overwritten all the time
}

// span are the versions that may be found.
type span struct{ acknowledged, attempted int }

// contentOf is what is stored under a key: anybody can make it again.
func contentOf(key string) []byte {
	seed := sha256.Sum256([]byte(key))
	random := rand.New(rand.NewChaCha8(seed))
	sizes := []int{0, 1, 300, 5000, 70_000, 300_000, 2_000_000}
	content := make([]byte, sizes[random.IntN(len(sizes))]+random.IntN(100))
	_, _ = rand.NewChaCha8(seed).Read(content)
	return content
}

// versionOf is the content of a version of an object that is overwritten.
func versionOf(key string, version int) []byte {
	return append(fmt.Appendf(nil, "%d ", version), contentOf(fmt.Sprintf("%s/%d", key, version))...)
}

// write stores objects, new ones and versions of an old one in turn, until ctx ends.
func (l *ledger) write(ctx context.Context, project *uplink.Project, round, writer int) {
	old := fmt.Sprintf("old-%d", writer)
	for i := 0; ctx.Err() == nil; i++ {
		key := fmt.Sprintf("%d-%d-%d", round, writer, i)
		l.note(key, false)
		_, err := project.Put(ctx, "ledger", key, bytes.NewReader(contentOf(key)), nil)
		if err == nil {
			l.note(key, true)
		}
		l.mu.Lock()
		s := l.versions[old]
		s.attempted++
		l.versions[old] = s
		l.mu.Unlock()
		if _, err = project.Put(ctx, "ledger", old, bytes.NewReader(versionOf(old, s.attempted)), nil); err == nil {
			s.acknowledged = s.attempted
			l.mu.Lock()
			l.versions[old] = s
			l.mu.Unlock()
		}
	}
}

func (l *ledger) note(key string, acknowledged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged[key] = acknowledged
}

// verify reads what was ever attempted under keys with a prefix, and the overwritten objects.
func (l *ledger) verify(t *testing.T, project *uplink.Project, prefix string) (stored, unsure int) {
	t.Helper()
	for key, acknowledged := range l.acknowledged {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		got, _, err := read(t.Context(), project, "ledger", key)
		switch {
		case !acknowledged && errors.Is(err, uplink.ErrObjectNotFound):
		case err != nil:
			t.Errorf("%s, acknowledged %t: %v", key, acknowledged, err)
		case !bytes.Equal(got, contentOf(key)):
			t.Errorf("%s, acknowledged %t: other bytes", key, acknowledged)
		}
		if acknowledged {
			stored++
		} else {
			unsure++
		}
	}
	for key, s := range l.versions {
		got, _, err := read(t.Context(), project, "ledger", key)
		if errors.Is(err, uplink.ErrObjectNotFound) && s.acknowledged == 0 {
			continue
		}
		text, _, _ := bytes.Cut(got, []byte(" "))
		version, _ := strconv.Atoi(string(text))
		if err != nil || version < s.acknowledged || version > s.attempted || !bytes.Equal(got, versionOf(key, version)) {
			t.Errorf("%s: version %d of %d bytes, %v; acknowledged %d, attempted %d", key, version, len(got), err, s.acknowledged, s.attempted)
		}
	}
	return stored, unsure
}

// TestRestarts promises that nodes may come back at other addresses and the satellite at any time, and nobody notices.
func TestRestarts(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Nodes: 4, Env: []string{"STORJ_SATELLITE_CHECK_IN_INTERVAL=1s"}})
	large, small := randomFile(t, 5<<20, 51), randomFile(t, 100, 52)
	p.must("mb", "sj://restarts")
	p.must("cp", large, "sj://restarts/large")
	p.must("cp", small, "sj://restarts/small")
	before := p.addresses()
	for _, node := range p.Nodes {
		if err := node.Terminate(); err != nil {
			t.Fatal(err)
		}
		node.Args = append(node.Args, "--address", "127.0.0.1:0") // which the settings do not say
	}
	p.revive(p.Nodes)
	for id, address := range p.addresses() {
		if address == before[id] {
			t.Errorf("node %s is still at %s", id, address)
		}
	}
	p.same("sj://restarts/large", large)
	p.same("sj://restarts/small", small)

	for name, stop := range map[string]func(*devnet.Process) error{"ended": (*devnet.Process).Terminate, "killed": (*devnet.Process).Kill} {
		if err := stop(p.Satellite); err != nil {
			t.Fatal(err)
		}
		restarted := time.Now()
		if err := p.Satellite.Start(); err != nil {
			t.Fatal(err)
		}
		p.same("sj://restarts/large", large)
		p.must("cp", large, "sj://restarts/"+name)
		until(t, "nodes to check in with a satellite that "+name, func() error {
			for _, node := range p.nodes() {
				if !node.Online || !node.LastContact.After(restarted) {
					return fmt.Errorf("node %s was last seen at %v", node.ID, node.LastContact)
				}
			}
			return nil
		})
		p.same("sj://restarts/"+name, large)
	}
	if err := p.Satellite.Kill(); err != nil {
		t.Fatal(err)
	}
	p.told(6, "Is the satellite running", "ls", "sj://restarts")
}

// nodeLine is what the satellite says of a node.
type nodeLine struct {
	ID          string    `json:"id"`
	Address     string    `json:"address"`
	Online      bool      `json:"online"`
	Free        int64     `json:"free"`
	LastContact time.Time `json:"last_contact"`
}

// nodes asks the satellite for its nodes.
func (p *procs) nodes() (lines []nodeLine) {
	p.t.Helper()
	out := p.must("satellite", "nodes", "--dir", p.Satellite.Dir, "--json").stdout
	if err := json.Unmarshal([]byte(out), &lines); err != nil {
		p.t.Fatalf("%v in %s", err, out)
	}
	return lines
}

func (p *procs) addresses() map[string]string {
	addresses := map[string]string{}
	for _, node := range p.nodes() {
		addresses[node.ID] = node.Address
	}
	if len(addresses) != len(p.Nodes) {
		p.t.Fatalf("%d nodes, want %d", len(addresses), len(p.Nodes))
	}
	return addresses
}
