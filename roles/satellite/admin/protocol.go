package admin

import (
	"time"

	"storj/ecenc/wire"
	"storj/netx"
)

// Method numbers on netx/rpc: 400-499 answer to the satellite's own identity.
const (
	MethodStatus        = 400
	MethodCreateProject = 401
	MethodListProjects  = 402
	MethodCreateAPIKey  = 410
	MethodListAPIKeys   = 411
	MethodRevokeAPIKey  = 412
	MethodCreateToken   = 420
	MethodListNodes     = 421
)

const (
	maxText     = 512
	maxWarnings = 32
	maxWarning  = 1024
	// maxPage is the most projects, keys or nodes of one response.
	maxPage = 1000
)

// nameRequest names a project, or a key in it, or says where a page starts.
type nameRequest struct {
	Project string
	Name    string
	Cursor  netx.NodeID // nodes after this one
	Offset  uint32      // items to skip in other lists
}

// Fields codes the request for wire.
func (r *nameRequest) Fields(c *wire.Codec) {
	c.String(1, &r.Project, maxText)
	c.String(2, &r.Name, maxText)
	c.Fixed(3, r.Cursor[:])
	c.Uint32(4, &r.Offset)
}

// textReply carries a key or a token.
type textReply struct{ Text string }

// Fields codes the reply for wire.
func (r *textReply) Fields(c *wire.Codec) { c.String(1, &r.Text, 4*maxText) }

// tokenRequest asks for a join token.
type tokenRequest struct {
	Uses uint32
	Life time.Duration
}

// Fields codes the request for wire.
func (r *tokenRequest) Fields(c *wire.Codec) {
	life := int64(r.Life)
	c.Uint32(1, &r.Uses)
	c.Int(2, &life)
	r.Life = time.Duration(life)
}

// page is a part of a list.
type page[T any, P interface {
	*T
	wire.Message
}] struct {
	Items []T
	More  bool
}

// Fields codes the page for wire.
func (p *page[T, P]) Fields(c *wire.Codec) {
	wire.Repeated[T, P](c, 1, &p.Items, maxPage)
	c.Bool(2, &p.More)
}

// Fields codes the project for wire.
func (p *Project) Fields(c *wire.Codec) {
	c.Fixed(1, p.ID[:])
	c.String(2, &p.Name, maxText)
	c.Time(3, &p.Created)
}

// Fields codes the key for wire.
func (k *APIKey) Fields(c *wire.Codec) {
	c.String(1, &k.Name, maxText)
	c.Time(2, &k.Created)
	c.Bool(3, &k.Revoked)
}

// Fields codes the node for wire.
func (n *Node) Fields(c *wire.Codec) {
	c.Fixed(1, n.ID[:])
	c.String(2, &n.Address, maxText)
	c.String(3, &n.Domain, maxText)
	c.String(4, &n.Version, maxText)
	c.Int(5, &n.Capacity)
	c.Int(6, &n.Used)
	c.Int(7, &n.Free)
	c.Time(8, &n.Joined)
	c.Time(9, &n.LastContact)
	c.Bool(10, &n.Online)
}

// Fields codes the status for wire.
func (s *Status) Fields(c *wire.Codec) {
	uptime := int64(s.Uptime)
	c.Fixed(1, s.Satellite.ID[:])
	c.String(2, &s.Satellite.Address, maxText)
	c.String(3, &s.Version, maxText)
	c.Bool(4, &s.Running)
	c.Int(5, &uptime)
	for i, count := range []*int64{&s.Projects, &s.Buckets, &s.Objects, &s.Segments, &s.Bytes, &s.Nodes, &s.Online, &s.Domains} {
		c.Int(6+i, count)
	}
	c.String(14, &s.Redundancy, maxText)
	c.Bool(15, &s.Auto)
	c.Int(16, &s.DBBytes)
	codeTexts(c, 17, &s.Warnings)
	s.Uptime = time.Duration(uptime)
}

// codeTexts codes a list of sentences.
func codeTexts(c *wire.Codec, num int, texts *[]string) {
	raw := make([][]byte, len(*texts))
	for i, text := range *texts {
		raw[i] = []byte(text)
	}
	wire.RepeatedBytes(c, num, &raw, maxWarnings, maxWarning)
	if !c.Decoding() {
		return
	}
	for _, text := range raw {
		*texts = append(*texts, string(text))
	}
}
