package overlay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"storj/metainfo/metabase"
	"storj/netx"
	"storj/roles/satellite/placement"
)

// ErrPolicy is returned for a setting that is not all, none or names of tags.
var ErrPolicy = errors.New(`accept-tags must be "auto", "all", "none" or names of tags, such as site,country`)

// TagPolicy says which tags of nodes are believed without the owner's word. The zero value is all where nodes join by
// token, and none where everybody may.
type TagPolicy struct {
	set   bool
	all   bool
	names []string
}

// ParseTagPolicy reads the empty text or "auto" (zero), "all", "none", or names with commas between them. Errors: ErrPolicy.
func ParseTagPolicy(text string) (TagPolicy, error) {
	switch text {
	case "", "auto":
		return TagPolicy{}, nil
	case "all":
		return TagPolicy{set: true, all: true}, nil
	case "none":
		return TagPolicy{set: true}, nil
	}
	p := TagPolicy{set: true}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if strings.Contains(name, "=") || placement.CheckTag(name+"=x") != nil {
			return TagPolicy{}, fmt.Errorf("%w: got %q", ErrPolicy, text)
		}
		p.names = append(p.names, name)
	}
	return p, nil
}

func (p TagPolicy) accepts(tag string, open bool) bool {
	if !p.set {
		return !open
	}
	name, _, _ := strings.Cut(tag, "=")
	return p.all || slices.Contains(p.names, name)
}

// Believed returns those tags of a node that are believed.
func (o *Overlay) Believed(row *metabase.Node) []string {
	var tags []string
	for _, tag := range row.Tags {
		if slices.Contains(row.Accepted, tag) || o.opts.Accept.accepts(tag, o.opts.Open) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// selectable is what selection may know of a node.
func (o *Overlay) selectable(row metabase.Node, ip string) placement.Node {
	if o.opts.Open && !row.Invited {
		row.Domain = ""
	}
	row.Tags = o.Believed(&row)
	return placement.FromRow(row, ip)
}

// AcceptTags takes the owner's word for tags of a node; those accepted before are forgotten. Every tag must be one that
// the node has now. Errors: metabase.ErrNode, placement.ErrTag.
func (o *Overlay) AcceptTags(ctx context.Context, id netx.NodeID, tags []string) (metabase.Node, error) {
	clean, err := placement.CleanTags(tags)
	if err != nil {
		return metabase.Node{}, err
	}
	if _, err := o.opts.DB.Node(ctx, id); err != nil {
		return metabase.Node{}, err
	}
	row, err := o.opts.DB.PutNode(ctx, id, func(n *metabase.Node, _ bool) error {
		for _, tag := range clean {
			if !slices.Contains(n.Tags, tag) {
				return fmt.Errorf("%w: the node does not have %q", placement.ErrTag, tag)
			}
		}
		n.Accepted = clean
		return nil
	})
	if err != nil {
		return metabase.Node{}, fmt.Errorf("accept tags: %w", err)
	}
	o.mu.Lock()
	cached, known := o.nodes[id]
	if known {
		cached.row.Accepted = clean
		o.nodes[id] = cached
	}
	o.mu.Unlock()
	o.opts.Directory.Put(o.current(cached.ip, row))
	return row, nil
}

// current is selectable with the contact that the directory knows of, which is newer than the row's.
func (o *Overlay) current(ip string, row metabase.Node) placement.Node {
	node := o.selectable(row, ip)
	if live, known := o.opts.Directory.Get(row.ID); known {
		live.Tags, live.Domain = node.Tags, node.Domain
		return live
	}
	return node
}
