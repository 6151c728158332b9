package repair

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/metainfo/kv/memkv"
	"storj/netx"
	"storj/pieces"
)

func TestDamageIsBounded(t *testing.T) {
	t.Parallel()
	store := memkv.New(memkv.Options{})
	d, err := loadDamage(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	node := netx.NodeID{1}
	var list []pieces.PieceID
	for i := range maxDamage {
		list = append(list, pieces.PieceID{byte(i), byte(i >> 8), byte(i >> 16), 1})
	}
	for i := 0; i < len(list); i += pieces.MaxDamage {
		if n, err := d.report(t.Context(), node, list[i:min(i+pieces.MaxDamage, len(list))]); err != nil || n == 0 {
			t.Fatal(n, err)
		}
	}
	if n, err := d.report(t.Context(), node, list[:10]); n != 0 || err != nil {
		t.Errorf("what is known already: %d, %v", n, err)
	}
	if _, err := d.report(t.Context(), node, []pieces.PieceID{{9, 9, 9}}); !errors.Is(err, netx.ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := d.report(t.Context(), netx.NodeID{2}, []pieces.PieceID{{9, 9, 9}}); err != nil {
		t.Errorf("another node: %v", err)
	}
	if err := d.forget(t.Context(), node, list[5:]); err != nil {
		t.Fatal(err)
	}
	if err := d.forget(t.Context(), node, []pieces.PieceID{{8, 8}}); err != nil {
		t.Fatal(err)
	}
	again, err := loadDamage(t.Context(), store)
	if err != nil || again.len() != 6 || d.len() != 6 || !reflect.DeepEqual(again.nodes, d.nodes) {
		t.Errorf("%d in memory, %d stored, %v", d.len(), again.len(), err)
	}
}

// TestSnapshotDoesNotChange reports while a judge holds a snapshot.
func TestSnapshotDoesNotChange(t *testing.T) {
	t.Parallel()
	d, err := loadDamage(t.Context(), memkv.New(memkv.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	view := viewOf(t, "FF")
	node := view.Node(1).ID
	s := metainfo.Segment{Root: pieces.PieceID{1}, Redundancy: redundancy(1, 1, 2, 2)}
	if d.snapshot(view) != nil {
		t.Error("a snapshot of nothing costs lookups")
	}
	if _, err := d.report(t.Context(), node, []pieces.PieceID{s.Root.Derive(node, 0)}); err != nil {
		t.Fatal(err)
	}
	snapshot := d.snapshot(view)
	if err := d.forget(context.WithoutCancel(t.Context()), node, []pieces.PieceID{s.Root.Derive(node, 0)}); err != nil {
		t.Fatal(err)
	}
	if _, found := snapshot.find(view, &s, metainfo.Piece{Number: 0, Alias: 1}); !found {
		t.Error("the snapshot changed")
	}
	if _, found := snapshot.find(view, &s, metainfo.Piece{Number: 1, Alias: 1}); found {
		t.Error("another number of the same node is found")
	}
	if _, found := snapshot.find(view, &s, metainfo.Piece{Number: 0, Alias: 99}); found {
		t.Error("unknown node")
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0).UTC()
	line := SegmentLine{metainfo.StreamID{1}, metainfo.Position{Part: 2, Index: 3}, "few", 4, 5, 6, now}
	for _, m := range []wire.Message{
		&Status{
			Checked: now, Segments: 1, Below: 2, Queue: []QueueLine{{"few", 3, now}}, Waiting: 4, Dropped: 5, Running: []SegmentLine{line},
			Today: []Count{{"repaired", 6}}, Irreparable: []SegmentLine{line, line}, Lost: 7, Damaged: 8, MeanWait: time.Hour, Read: 9, Written: 10,
		},
		&Result{
			Outcome: "repaired", Reason: "few", Before: 1, After: 2, Required: 3, Optimal: 4, Altered: []NodeName{{netx.NodeID{1}}},
			Absent: []NodeName{{netx.NodeID{2}}, {netx.NodeID{3}}}, Took: time.Minute, Error: "none",
		},
		&RebalanceStatus{On: true, Auto: true, Started: now, Segments: 1, Bytes: 2, Waiting: 3, BytesLeft: 4},
		&segmentRequest{Stream: metainfo.StreamID{1}, Position: metainfo.Position{Part: 1, Index: 7}},
		&rebalanceRequest{actionStop},
		&timeRow{now}, &exposureRow{1, now, 2}, &rebalanceRow{true, now, 1, 2},
	} {
		again := reflect.New(reflect.TypeOf(m).Elem()).Interface().(wire.Message)
		if err := wire.Unmarshal(wire.Marshal(m), again); err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	}
}

func FuzzStatus(f *testing.F) {
	f.Add(wire.Marshal(&Status{Queue: []QueueLine{{"few", 3, time.Unix(1, 0)}}, MeanWait: time.Hour}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again Status
		if wire.Unmarshal(b, &s) != nil {
			return
		}
		if err := wire.Unmarshal(wire.Marshal(&s), &again); err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}
