package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"storj/roles/devnet"
)

// ask runs a command with --json and reads what it prints.
func (c *chaos) ask(to any, args ...string) error {
	res := c.p.try(append(args, "--json")...)
	if res.status != 0 {
		return fmt.Errorf("%v: status %d: %s", args[:2], res.status, res.stderr)
	}
	return json.Unmarshal([]byte(res.stdout), to)
}

// settle waits until nothing is left to repair. The satellite is started anew before: what failed in the midst of all is
// otherwise tried again after ten minutes.
func (c *chaos) settle() {
	c.must("stop the satellite", c.p.Satellite.Terminate())
	c.must("start the satellite", c.p.Satellite.Start())
	began := time.Now()
	defer func() {
		if c.t.Failed() {
			for _, of := range [][]string{{"repair", "status", "--json"}, {"nodes"}, {"health"}} {
				c.t.Log(c.p.must(append(append([]string{"satellite"}, of...), "--dir", c.p.Satellite.Dir)...).stdout)
			}
			c.t.Log(keep(c.t, c.p.Satellite.Log))
		}
	}()
	until(c.t, "repair to settle", func() error {
		var status struct {
			Checked     time.Time `json:"checked"`
			Below       int64     `json:"segments_below_optimal"`
			Queue       []any     `json:"queue"`
			Waiting     int64     `json:"waiting"`
			Running     []any     `json:"running"`
			Irreparable int64     `json:"irreparable_count"`
			Damaged     int64     `json:"damaged_pieces"`
			Segments    int64     `json:"segments"`
		}
		if err := c.ask(&status, "satellite", "repair", "status", "--dir", c.p.Satellite.Dir); err != nil {
			return err
		}
		text := fmt.Sprintf("%+v", status)
		if status.Checked.Before(began) || status.Waiting+status.Irreparable+status.Damaged+int64(len(status.Running)+len(status.Queue)) > 0 {
			return errors.New(text)
		}
		c.t.Logf("settled after %v: %s", time.Since(began), text)
		return nil
	})
}

// collect has nodes throw away what is not needed any more. Chaos itself runs with the skew of real networks, because an
// upload may be committed for two days; now that nothing is being uploaded a few seconds are enough, and what is taken is
// all that a filter may take.
func (c *chaos) collect() {
	c.must("stop the satellite", c.p.Satellite.Terminate())
	c.p.Satellite.AddEnv(tune("3s"))
	began := time.Now()
	c.must("start the satellite", c.p.Satellite.Start())
	until(c.t, "garbage to be collected", func() error {
		var status struct {
			Held  string `json:"held"`
			Nodes []struct {
				Node    string     `json:"node"`
				Made    time.Time  `json:"made"`
				Sent    *time.Time `json:"sent"`
				Problem string     `json:"problem"`
			} `json:"nodes"`
		}
		if err := c.ask(&status, "satellite", "gc", "status", "--dir", c.p.Satellite.Dir); err != nil {
			return err
		}
		sent := 0
		for _, n := range status.Nodes {
			if n.Made.After(began.Add(4*time.Second)) && n.Sent != nil && n.Sent.After(began) {
				sent++
			}
		}
		if sent < chaosNodes {
			return fmt.Errorf("%d of %d filters were sent: %+v", sent, chaosNodes, status)
		}
		return nil
	})
	until(c.t, "trash", func() error {
		trash, used := int64(0), int64(0)
		for _, node := range c.p.Nodes {
			var status struct {
				Space struct{ Trash, Used int64 } `json:"space"`
			}
			if err := c.ask(&status, "node", "status", "--dir", node.Dir); err != nil {
				return err
			}
			trash += status.Space.Trash
			used += status.Space.Used
		}
		if trash == 0 {
			return errors.New("nothing was thrown away")
		}
		c.t.Logf("garbage after %v: %d of %d bytes", time.Since(began), trash, used)
		return nil
	})
}

// standings promises that nobody is blamed for having been killed, cut off, slow, full, or wrong about the time.
func (c *chaos) standings() {
	var states []struct {
		devnet.NodeState
		State string `json:"state"`
	}
	c.must("standings", c.ask(&states, "satellite", "nodes", "--dir", c.p.Satellite.Dir))
	if len(states) != chaosNodes {
		c.t.Errorf("%d nodes", len(states))
	}
	for _, s := range states {
		if s.State != "healthy" && !slices.ContainsFunc(c.corrupted, func(i int) bool { return c.p.Nodes[i].Address == s.Address }) {
			c.t.Errorf("node %s at %s is %s:\n%s", s.ID, s.Address, s.State,
				c.p.must("satellite", "nodes", "show", s.ID, "--dir", c.p.Satellite.Dir).stdout)
		}
	}
}
