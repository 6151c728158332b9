package limits_test

import (
	"errors"
	"testing"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/metatest"
	"storj/roles/satellite/limits"
)

func TestDirect(t *testing.T) {
	t.Parallel()
	w := metatest.NewWorld(t, metatest.Options{})
	l := limits.New(limits.Options{DB: w.DB, Endpoint: w.Endpoint})
	want := metainfo.Limits{Storage: 1, Egress: 2, Objects: 3, Segments: 4, Buckets: 5, Rate: 6, Burst: 7}
	if err := l.SetLimits(t.Context(), "test", want); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"test", w.Project.ID.String()} {
		usage, err := l.Usage(t.Context(), name)
		if err != nil || *usage != (metainfo.ProjectUsage{Limits: want}) {
			t.Errorf("%s uses %+v, %v", name, usage, err)
		}
	}
	for _, name := range []string{"", "nobody", metainfo.NewProjectID().String()} {
		if _, err := l.Usage(t.Context(), name); !errors.Is(err, metainfo.ErrProjectNotFound) {
			t.Errorf("usage of %q: %v", name, err)
		}
		if err := l.SetLimits(t.Context(), name, want); !errors.Is(err, metainfo.ErrProjectNotFound) {
			t.Errorf("limits of %q: %v", name, err)
		}
	}
	var decoded metainfo.Limits
	if err := wire.Unmarshal(wire.Marshal(&metainfo.Limits{Storage: -1}), &decoded); err == nil {
		t.Error("a negative limit was read from the wire")
	}
}
