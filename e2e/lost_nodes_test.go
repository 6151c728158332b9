package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"storj/roles/devnet"
	"storj/roles/uplink"
)

const tolerated = 4 // of the 8 pieces of a segment at 4/6/8/10

// rounds is how often stories with chance in them are told.
const rounds = 10

// TestNodesKilledInTheMiddleOfDownloads promises that any four of ten nodes may die at any moment of a download.
func TestNodesKilledInTheMiddleOfDownloads(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{})
	source := randomFile(t, 96<<20, 1)
	p.must("mb", "sj://stories")
	p.must("cp", source, "sj://stories/file")
	healthy := p.same("sj://stories/file", source).took
	for round := range rounds {
		victims := p.choose(tolerated)
		delay := time.Duration(rand.Int64N(int64(healthy)))
		wait := after(t, delay, func() {
			for _, node := range victims {
				_ = node.Kill()
			}
		})
		took := p.same("sj://stories/file", source).took
		wait()
		t.Logf("round %d: killed %s after %v; took %v, healthy %v", round, names(victims), delay, took, healthy)
		p.revive(victims)
	}
}

// TestNodesKilledInTheMiddleOfUploads promises that an upload ends well when two of ten nodes die under it, and that what
// it acknowledged is there.
func TestNodesKilledInTheMiddleOfUploads(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{})
	source := randomFile(t, 96<<20, 2)
	p.must("mb", "sj://stories")
	healthy := p.must("cp", source, "sj://stories/healthy").took
	for round := range 6 {
		victims := p.choose(3) // seven are left: more than repair
		delay := time.Duration(rand.Int64N(int64(healthy)))
		object := fmt.Sprintf("sj://stories/file-%d", round)
		wait := after(t, delay, func() {
			for _, node := range victims {
				_ = node.Kill()
			}
		})
		took := p.must("cp", source, object).took
		wait()
		t.Logf("round %d: killed %s after %v; took %v, healthy %v", round, names(victims), delay, took, healthy)
		p.same(object, source)
		p.revive(victims)
		p.same(object, source)
	}
}

// TestHungNodes promises that nodes which stop without a word, sockets open, do not stop a transfer.
func TestHungNodes(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{})
	source := randomFile(t, 96<<20, 3)
	p.must("mb", "sj://stories")
	healthyUp := p.must("cp", source, "sj://stories/file").took
	healthyDown := p.same("sj://stories/file", source).took
	for round := range 3 {
		for _, test := range []struct {
			name    string
			healthy time.Duration
			hang    int
			run     func() result
		}{
			{"upload", healthyUp, 3, func() result { return p.must("cp", source, fmt.Sprintf("sj://stories/file-%d", round)) }},
			{"download", healthyDown, tolerated, func() result { return p.same("sj://stories/file", source) }},
		} {
			victims := p.choose(test.hang)
			delay := time.Duration(rand.Int64N(int64(test.healthy)))
			wait := after(t, delay, func() {
				for _, node := range victims {
					_ = node.Freeze()
				}
			})
			took := test.run().took
			wait()
			for _, node := range victims {
				if err := node.Thaw(); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%s %d: hung %s after %v; took %v, healthy %v", test.name, round, names(victims), delay, took, test.healthy)
			// Twice the healthy time and two seconds is what pieces/segmentio promises, and tests without other load; here
			// the machine may have better things to do.
			if limit := 4*test.healthy + 10*time.Second; took > limit {
				t.Errorf("%s with hung nodes took %v, more than %v", test.name, took, limit)
			}
		}
	}
}

// TestTooManyNodesGone promises one clear error in bounded time, and nothing half done.
func TestTooManyNodesGone(t *testing.T) {
	p := spawn(t, devnet.SpawnOptions{Redundancy: "4/6/8/10"}) // auto would follow the network down
	source := randomFile(t, 8<<20, 4)
	p.must("mb", "sj://stories")
	p.must("cp", source, "sj://stories/file")
	access, err := uplink.ParseAccess(p.grant())
	if err != nil {
		t.Fatal(err)
	}
	// The commands wait two minutes for nodes to come back before they give an upload up.
	impatient, err := uplink.Open(t.Context(), uplink.Config{RetryTimeout: 5 * time.Second}, access)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = impatient.Close() }() // best effort: what matters was checked
	for name, fault := range map[string]func(n *devnet.Process) error{
		"killed": (*devnet.Process).Kill, "hung": (*devnet.Process).Freeze,
	} {
		for _, node := range p.Nodes[:7] {
			if err := fault(node); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		down := p.refused(6, "cp", "sj://stories/file", t.TempDir()+"/back")
		downTook := time.Since(began)
		_, err := impatient.Put(t.Context(), "stories", "new", bytes.NewReader(make([]byte, 8<<20)), nil)
		if !errors.Is(err, uplink.ErrUnavailable) {
			t.Fatalf("%s: upload: %v", name, err)
		}
		for _, text := range []string{down.stderr, err.Error()} {
			if !strings.Contains(text, "needed") && !strings.Contains(text, "not enough storage nodes") {
				t.Errorf("%s: the message does not say how many pieces were had and needed: %s", name, text)
			}
			if strings.Count(strings.TrimSpace(text), "\n") > 3 {
				t.Errorf("%s: not one clear error:\n%s", name, text)
			}
		}
		t.Logf("%s: download failed after %v, upload after %v: %v", name, downTook, time.Since(began)-downTook, err)
		p.refused(3, "stat", "sj://stories/new")
		for _, node := range p.Nodes[:7] {
			if name == "hung" {
				_ = node.Thaw()
			}
		}
		if name == "killed" {
			p.revive(p.Nodes[:7])
		}
	}
	p.same("sj://stories/file", source)
}

func (p *procs) choose(count int) (chosen []*devnet.Process) {
	for _, i := range rand.Perm(len(p.Nodes))[:count] {
		chosen = append(chosen, p.Nodes[i])
	}
	return chosen
}

func names(processes []*devnet.Process) string {
	var list []string
	for _, process := range processes {
		list = append(list, process.Name)
	}
	return strings.Join(list, " ")
}

// revive starts processes again and waits until the network is whole.
func (p *procs) revive(processes []*devnet.Process) {
	p.t.Helper()
	if err := p.Restart(p.t.Context(), processes...); err != nil {
		p.t.Fatal(err)
	}
}
