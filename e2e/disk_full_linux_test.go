package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"storj/roles/devnet"
	"storj/roles/uplink"
)

// TestNodeDiskFull promises that uploads pass over a node whose disk is full, which serves what it has and takes more when
// there is space again.
func TestNodeDiskFull(t *testing.T) {
	if !withMounts(t) {
		return
	}
	dir := t.TempDir()
	disk := smallDisk(t, filepath.Join(dir, "node0"), 600)
	p := spawn(t, devnet.SpawnOptions{
		Dir: dir, Nodes: 5, Redundancy: "2/3/4/5", Debug: true, Capacity: "500MB", Env: []string{"STORJ_SATELLITE_CHECK_IN_INTERVAL=1s"},
	})
	full := p.Nodes[0]
	id := p.nodeStatus(full).ID
	p.must("mb", "sj://full")
	source := randomFile(t, 8<<20, 60)
	p.must("cp", source, "sj://full/before")

	empty := fill(t, disk, 0)
	project := openGrant(t, p.grant())
	for i := range 5 { // before and after the node has noticed, and has told
		object := fmt.Sprintf("while-%d", i)
		p.must("cp", source, "sj://full/"+object)
		if has(t, project, "full", object, id) {
			t.Errorf("upload %d: a full disk took a piece", i)
		}
		p.same("sj://full/"+object, source)
	}
	if status := p.nodeStatus(full); status.Space.Free != 0 {
		t.Errorf("node says that %d bytes are free", status.Space.Free)
	}
	if status, body := get(t, full, "/health"); status != http.StatusServiceUnavailable || !strings.Contains(body, "space") {
		t.Errorf("health of a full node: %d %s", status, body)
	}
	until(t, "satellite to know", func() error {
		for _, node := range p.nodes() {
			if node.ID == id && node.Free > 0 {
				return fmt.Errorf("node with %d bytes free", node.Free)
			}
		}
		return nil
	})
	p.same("sj://full/before", source)

	empty()
	tries := 0
	until(t, "full node to take pieces again", func() error {
		object := fmt.Sprintf("after-%d", tries)
		tries++
		p.must("cp", source, "sj://full/"+object)
		if !has(t, project, "full", object, id) {
			return errors.New("it has none")
		}
		return nil
	})
	if status, body := get(t, full, "/health"); status != http.StatusOK {
		t.Errorf("health of a node with space: %d %s", status, body)
	}
	p.must("node", "check", "--dir", full.Dir)
}

func has(t *testing.T, project *uplink.Project, bucket, key, node string) bool {
	t.Helper()
	segments, err := project.Locations(t.Context(), bucket, key)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(segments, func(s uplink.SegmentLocation) bool { return s.Has(node) })
}

// nodeStatus is what a node says of itself.
type nodeStatus struct {
	ID    string `json:"id"`
	Space struct {
		Free int64 `json:"free"`
	} `json:"space"`
}

func (p *procs) nodeStatus(node *devnet.Process) (status nodeStatus) {
	p.t.Helper()
	out := p.must("node", "status", "--dir", node.Dir, "--json").stdout
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		p.t.Fatalf("%v in %s", err, out)
	}
	return status
}

// TestSatelliteDiskFull promises a clear error for what needs space, an answer to what needs none, and that all goes on when
// there is space again, with everything that was acknowledged.
func TestSatelliteDiskFull(t *testing.T) {
	if !withMounts(t) {
		return
	}
	dir := t.TempDir()
	disk := smallDisk(t, filepath.Join(dir, "satellite"), 200)
	p := spawn(t, devnet.SpawnOptions{Dir: dir, Nodes: 4})
	p.must("mb", "sj://full")
	small, large := randomFile(t, 2000, 61), randomFile(t, 3<<20, 62)
	p.must("cp", small, "sj://full/small")
	p.must("cp", large, "sj://full/large")
	p.must("cp", large, "sj://full/delete-me")
	for _, leave := range []int64{32, 0} {
		empty := fill(t, disk, leave)
		for _, args := range [][]string{{"cp", small, "sj://full/x"}, {"cp", large, "sj://full/x"}, {"mb", "sj://more"}} {
			p.told(6, "the satellite's disk is full", args...)
		}
		p.refused(3, "stat", "sj://full/x")
		p.same("sj://full/small", small)
		p.same("sj://full/large", large)
		if out := p.must("ls", "sj://full").stdout; !strings.Contains(out, "large") {
			t.Errorf("ls with a full disk: %s", out)
		}
		if leave > 0 {
			p.must("rm", "sj://full/delete-me") // needs a little, which is kept for it
		}
		if !p.Satellite.Running() {
			t.Fatalf("satellite ended: %s", p.Satellite.LastLog())
		}
		empty()
		until(t, "satellite to take writes again", func() error {
			if res := p.try("cp", small, fmt.Sprintf("sj://full/after-%d", leave)); res.status != 0 {
				return errors.New(res.stderr)
			}
			return nil
		})
	}
	p.same("sj://full/after-32", small)
	p.same("sj://full/after-0", small)
	p.same("sj://full/large", large)
	if err := p.Satellite.Terminate(); err != nil {
		t.Fatal(err)
	}
	p.must("satellite", "check", "--dir", p.Satellite.Dir)
}

// TestClientDiskFull promises a clear error, and no part of a file.
func TestClientDiskFull(t *testing.T) {
	if !withMounts(t) {
		return
	}
	program(t)
	n := start(t, devnet.Options{})
	n.must("mb", "sj://full")
	large, small := randomFile(t, 12<<20, 63), randomFile(t, 1000, 64)
	n.must("cp", large, "sj://full/dir/large")
	n.must("cp", small, "sj://full/dir/small")
	disk := smallDisk(t, filepath.Join(t.TempDir(), "disk"), 4)
	old := write(t, filepath.Join(disk, "old"), "old content")
	for _, args := range [][]string{
		{"cp", "sj://full/dir/large", filepath.Join(disk, "new")}, {"cp", "sj://full/dir/large", old}, {"cp", "-r", "sj://full/dir/", filepath.Join(disk, "tree")},
	} {
		n.told(6, "no space left", args...)
	}
	for name, content := range contents(t, disk) {
		if name == "old" && content != "old content" || name != "old" && filepath.Base(name) != "small" {
			t.Errorf("left behind: %s, %d bytes", name, len(content))
		}
	}
	n.must("cp", "sj://full/dir/small", filepath.Join(disk, "small"))
}

// get asks a process over its debug address.
func get(t *testing.T, process *devnet.Process, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+process.Debug+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}
