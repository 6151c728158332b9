package owner

import (
	"time"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/placement"
)

// Method numbers on netx/rpc.
const (
	MethodShowNode   = 430
	MethodReinstate  = 431
	MethodDisqualify = 432
	MethodForgive    = 433
	MethodAcceptTags = 434
	MethodSetRule    = 435
	MethodRules      = 436
	MethodStandings  = 437
)

const (
	maxText  = 512
	maxTexts = 64
	// maxPage is the most standings of one reply.
	maxPage = 1000
)

// nodeRequest names a node and says what about it.
type nodeRequest struct {
	Node   string
	Reason string
	Tags   []string
}

// Fields codes the request for wire.
func (r *nodeRequest) Fields(c *wire.Codec) {
	c.String(1, &r.Node, maxText)
	c.String(2, &r.Reason, maxText)
	codeTexts(c, 3, &r.Tags, pieces.MaxTags)
}

// nodeReply says which node it was.
type nodeReply struct{ ID netx.NodeID }

// Fields codes the reply for wire.
func (r *nodeReply) Fields(c *wire.Codec) { c.Fixed(1, r.ID[:]) }

// pageRequest asks for a page of standings.
type pageRequest struct{ Offset uint32 }

// Fields codes the request for wire.
func (r *pageRequest) Fields(c *wire.Codec) { c.Uint32(1, &r.Offset) }

// standingsReply is a page of standings.
type standingsReply struct {
	Items []NodeStanding
	More  bool
}

// Fields codes the reply for wire.
func (r *standingsReply) Fields(c *wire.Codec) {
	wire.Repeated(c, 1, &r.Items, maxPage)
	c.Bool(2, &r.More)
}

// rulesReply is all rules.
type rulesReply struct{ Items []RuleReport }

// Fields codes the reply for wire.
func (r *rulesReply) Fields(c *wire.Codec) { wire.Repeated(c, 1, &r.Items, placement.MaxRules+1) }

// Fields codes the standing for wire.
func (s *NodeStanding) Fields(c *wire.Codec) {
	c.Fixed(1, s.ID[:])
	c.Message(2, &s.Standing)
}

// Fields codes the rule for wire.
func (r *RuleReport) Fields(c *wire.Codec) {
	c.Message(1, &r.Rule)
	c.Int(2, &r.Domains)
}

// Fields codes the report for wire.
func (r *NodeReport) Fields(c *wire.Codec) {
	patience := int64(r.Patience)
	c.Fixed(1, r.ID[:])
	c.String(2, &r.Address, maxText)
	c.String(3, &r.Domain, maxText)
	c.String(4, &r.Version, maxText)
	c.Int(5, &r.Capacity)
	c.Int(6, &r.Used)
	c.Int(7, &r.Free)
	c.Time(8, &r.Joined)
	c.Time(9, &r.LastContact)
	c.Bool(10, &r.Online)
	c.Bool(11, &r.Invited)
	codeTexts(c, 12, &r.Tags, maxTexts)
	codeTexts(c, 13, &r.Believed, maxTexts)
	codeTexts(c, 14, &r.Faults, maxTexts)
	c.Message(15, &r.Standing)
	c.Int(16, &r.Audits)
	c.Int(17, &r.Failures)
	c.Bool(18, &r.Watched)
	c.Bool(19, &r.Lied)
	c.Int(20, &r.Pieces)
	c.Int(21, &patience)
	wire.Repeated(c, 22, &r.Evidence, maxShown)
	r.Patience = time.Duration(patience)
}

// codeTexts codes a list of short texts.
func codeTexts(c *wire.Codec, num int, list *[]string, limit int) {
	raw := make([][]byte, len(*list))
	for i, text := range *list {
		raw[i] = []byte(text)
	}
	wire.RepeatedBytes(c, num, &raw, limit, maxText)
	if !c.Decoding() {
		return
	}
	*list = nil
	for _, text := range raw {
		*list = append(*list, string(text))
	}
}
