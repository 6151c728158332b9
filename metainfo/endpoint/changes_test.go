package endpoint

import (
	"fmt"
	"testing"

	"storj/metainfo"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	var c changes
	one, two := metainfo.ProjectID{1}, metainfo.ProjectID{2}
	c.bump(one, "b") // nobody has asked
	first := c.of(one, "b")
	if first == 0 || c.of(one, "b") != first {
		t.Errorf("counter is %d, then %d", first, c.of(one, "b"))
	}
	other, sameName := c.of(one, "c"), c.of(two, "b")
	c.bump(one, "b")
	if c.of(one, "b") == first || c.of(one, "c") != other || c.of(two, "b") != sameName {
		t.Error("a change of one bucket is not one of it alone")
	}
	c.bumpName("b")
	if c.of(two, "b") == sameName || c.of(one, "c") != other {
		t.Error("a change of a name is not one of all buckets of that name")
	}
	last := c.of(one, "b")
	for i := range maxCounters {
		c.of(one, fmt.Sprint("bucket", i))
	}
	if len(c.counters) > maxCounters {
		t.Errorf("%d counters are kept", len(c.counters))
	}
	if again := c.of(one, "b"); again == last {
		t.Error("a counter that was forgotten came back to an old value")
	}
}

func TestChangesNeverZero(t *testing.T) {
	t.Parallel()
	c := changes{counters: map[bucketRef]uint64{{bucket: "b"}: 1<<64 - 1, {bucket: "c"}: 1<<64 - 1}}
	c.bump(metainfo.ProjectID{}, "b")
	c.bumpName("c")
	for _, name := range []string{"b", "c"} {
		if got := c.of(metainfo.ProjectID{}, name); got != 1 {
			t.Errorf("%s: after the last number comes %d", name, got)
		}
	}
}

// TestChangesOfNowhere lists buckets that are not there: the counters of others stay.
func TestChangesOfNowhere(t *testing.T) {
	t.Parallel()
	var c changes
	mine := c.of(metainfo.ProjectID{1}, "mine")
	for i := range 2 * maxCounters {
		name := fmt.Sprint("nowhere", i)
		c.of(metainfo.ProjectID{2}, name)
		c.forget(metainfo.ProjectID{2}, name)
	}
	if got := c.of(metainfo.ProjectID{1}, "mine"); got != mine || len(c.counters) != 1 {
		t.Errorf("counter is %d, then %d; %d are kept", mine, got, len(c.counters))
	}
}
