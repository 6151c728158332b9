package owner

import (
	"reflect"
	"testing"
	"time"

	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/audit"
	"storj/roles/satellite/placement"
	"storj/roles/satellite/reputation"
)

func full() *NodeReport {
	at := time.Unix(1_800_000_000, 5).UTC()
	return &NodeReport{
		ID: netx.NodeID{1}, Address: "host:1", Domain: "attic", Version: "v1", Capacity: 9, Used: 4, Free: 5, Joined: at,
		LastContact: at, Online: true, Invited: true, Tags: []string{"a=b", "c=d"}, Believed: []string{"a=b"},
		Faults: []string{"disk 1 is away"}, Audits: 7, Failures: 2, Watched: true, Lied: true, Pieces: 70,
		Standing: pieces.Standing{
			State: pieces.Quarantined, Since: at, AuditScore: 0.5, UnknownScore: 0.25, OnlineScore: 1, Reason: "lost: words",
			Piece: pieces.PieceID{3}, Vetted: true, PiecesLeft: 4,
		},
		Patience: 5 * time.Hour,
		Evidence: []audit.Evidence{{
			Time: at, Verdict: reputation.Swapped, Piece: pieces.PieceID{3}, Stream: metainfo.StreamID{4},
			Position: metainfo.Position{Part: 1, Index: 2}, Number: 12, Offset: 32768, Length: 100, Took: time.Second, Text: "words",
		}},
	}
}

func TestMessagesSurviveTheWire(t *testing.T) {
	t.Parallel()
	report := full()
	var got NodeReport
	if err := wire.Unmarshal(wire.Marshal(report), &got); err != nil || !reflect.DeepEqual(&got, report) {
		t.Errorf("%v\n%+v\n%+v", err, got, report)
	}
	profile, err := placement.ParseProfile("4/6/8/10")
	if err != nil {
		t.Fatal(err)
	}
	rules := rulesReply{Items: []RuleReport{{Domains: 3}, {Rule: placement.Rule{
		Number: 2, Name: "sites", Require: []string{"a=b"}, Exclude: []string{"c=d"}, DistinctBy: "site", MinSites: 3, Redundancy: profile,
	}}}}
	var back rulesReply
	if err := wire.Unmarshal(wire.Marshal(&rules), &back); err != nil || !reflect.DeepEqual(back, rules) {
		t.Errorf("%v\n%+v\n%+v", err, back, rules)
	}
	req := nodeRequest{Node: "12ab", Reason: "stolen", Tags: []string{"a=b"}}
	var again nodeRequest
	if err := wire.Unmarshal(wire.Marshal(&req), &again); err != nil || !reflect.DeepEqual(again, req) {
		t.Errorf("%v\n%+v\n%+v", err, again, req)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(wire.Marshal(full()))
	f.Add(wire.Marshal(&nodeRequest{Node: "12ab", Tags: []string{"a=b"}}))
	f.Add(wire.Marshal(&standingsReply{Items: []NodeStanding{{ID: netx.NodeID{1}}}, More: true}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, m := range []wire.Message{
			new(NodeReport), new(nodeRequest), new(standingsReply), new(rulesReply), new(placement.Rule), new(audit.Evidence),
		} {
			if wire.Unmarshal(raw, m) == nil {
				wire.Marshal(m)
			}
		}
	})
}
