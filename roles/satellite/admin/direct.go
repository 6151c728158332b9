package admin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
	"storj/roles/satellite/placement"
)

const (
	minTokenLife = time.Minute
	maxTokenLife = 366 * 24 * time.Hour
)

// Options says what a Direct works on.
type Options struct {
	DB        *metabase.DB
	Satellite netx.NodeURL // as nodes and uplinks are told
	Profile   placement.Profile
	Version   string
	Live      *Live // nil: the satellite is not running
}

// Live is what only a running satellite knows.
type Live struct {
	Directory *placement.Directory
	Started   time.Time
	Revoked   func() // called after an API key was revoked
}

// Direct is the Admin on the database.
type Direct struct{ opts Options }

var _ Admin = (*Direct)(nil)

// New returns an Admin on the database, which stays the caller's.
func New(opts Options) *Direct { return &Direct{opts: opts} }

// CreateProject makes a project.
func (d *Direct) CreateProject(ctx context.Context, name string) (*Project, error) {
	p, err := d.opts.DB.CreateProject(ctx, name)
	if err != nil {
		return nil, err
	}
	return &Project{ID: p.ID, Name: p.Name, Created: p.Created}, nil
}

// ListProjects returns all projects by name.
func (d *Direct) ListProjects(ctx context.Context) ([]Project, error) {
	rows, err := d.opts.DB.Projects(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Project, len(rows))
	for i, p := range rows {
		list[i] = Project{ID: p.ID, Name: p.Name, Created: p.Created}
	}
	return list, nil
}

// project finds a project by its name, else by its ID. Errors: ErrProjectNotFound.
func (d *Direct) project(ctx context.Context, nameOrID string) (metainfo.Project, error) {
	p, err := d.opts.DB.ProjectByName(ctx, nameOrID)
	if !errors.Is(err, metainfo.ErrProjectNotFound) {
		return p, err
	}
	var id metainfo.ProjectID
	if id.UnmarshalText([]byte(nameOrID)) != nil {
		return metainfo.Project{}, err
	}
	return d.opts.DB.Project(ctx, id)
}

// CreateAPIKey makes an unrestricted key.
func (d *Direct) CreateAPIKey(ctx context.Context, project, name string) (string, error) {
	p, err := d.project(ctx, project)
	if err != nil {
		return "", err
	}
	record := metainfo.APIKeyRecord{Project: p.ID, Name: name}
	_, _ = rand.Read(record.Secret[:]) // never fails: crypto/rand ends the process instead
	key, err := macaroon.NewAPIKey(record.Secret[:])
	if err != nil {
		return "", fmt.Errorf("make API key: %w", err)
	}
	record.Head = key.Head()
	if err := d.opts.DB.CreateAPIKey(ctx, record); err != nil {
		return "", err
	}
	return key.Serialize(), nil
}

// ListAPIKeys returns the keys of a project.
func (d *Direct) ListAPIKeys(ctx context.Context, project string) ([]APIKey, error) {
	p, err := d.project(ctx, project)
	if err != nil {
		return nil, err
	}
	rows, err := d.opts.DB.APIKeys(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	list := make([]APIKey, len(rows))
	for i, row := range rows {
		list[i] = APIKey{Name: row.Name, Created: row.Created, Revoked: row.Revoked}
	}
	return list, nil
}

// RevokeAPIKey ends a key.
func (d *Direct) RevokeAPIKey(ctx context.Context, project, name string) error {
	p, err := d.project(ctx, project)
	if err != nil {
		return err
	}
	if _, err := d.opts.DB.RevokeAPIKey(ctx, p.ID, name); err != nil {
		return err
	}
	if d.opts.Live != nil && d.opts.Live.Revoked != nil {
		d.opts.Live.Revoked()
	}
	return nil
}

// CreateToken makes a join token; only the hash of its secret is stored.
func (d *Direct) CreateToken(ctx context.Context, uses int, life time.Duration) (string, error) {
	if err := checkToken(uses, life); err != nil {
		return "", err
	}
	if !reachable(d.opts.Satellite.Address) {
		return "", ErrAddress
	}
	token := pieces.NewJoinToken(d.opts.Satellite, time.Now().Add(life).UTC().Truncate(time.Second))
	err := d.opts.DB.CreateToken(ctx, metabase.JoinToken{
		Hash: sha256.Sum256(token.Secret[:]), Expires: token.Expires, UsesLeft: uses,
	})
	if err != nil {
		return "", err
	}
	return token.Text(), nil
}

// reachable says whether an address can be dialed: "all addresses of this machine" cannot.
func reachable(address string) bool {
	if netx.CheckAddress(address) != nil {
		return false
	}
	host, _, _ := net.SplitHostPort(address) // CheckAddress split it
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsUnspecified()
}

func checkToken(uses int, life time.Duration) error {
	if uses < 1 || uses > metabase.MaxTokenUses || life < minTokenLife || life > maxTokenLife {
		return ErrTokenOptions
	}
	return nil
}

// ListNodes returns all nodes, those in contact first.
func (d *Direct) ListNodes(ctx context.Context) ([]Node, error) {
	rows, err := d.opts.DB.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[netx.NodeID]placement.Node)
	directory := d.directory(rows)
	for _, node := range directory.Nodes() {
		known[node.URL.ID] = node
	}
	snapshot := directory.Snapshot()
	list := make([]Node, len(rows))
	for i, row := range rows {
		_, online, _ := snapshot.Node(row.ID)
		list[i] = Node{
			ID: row.ID, Address: row.Address, Domain: row.Domain, Version: row.Version,
			Capacity: row.Capacity, Used: row.Used, Free: row.Free,
			Joined: row.Joined, LastContact: row.LastContact, Online: online,
		}
		if live, found := known[row.ID]; found && live.LastContact.After(row.LastContact) {
			list[i].LastContact, list[i].Free = live.LastContact, live.Free
		}
	}
	slices.SortFunc(list, onlineFirst)
	return list, nil
}

// directory is that of the running satellite, or what it would be by the rows.
func (d *Direct) directory(rows []metabase.Node) *placement.Directory {
	if d.opts.Live != nil {
		return d.opts.Live.Directory
	}
	dir := placement.NewDirectory(placement.Options{})
	nodes := make([]placement.Node, len(rows))
	for i, row := range rows {
		nodes[i] = placement.FromRow(row, "")
	}
	dir.Put(nodes...)
	return dir
}

func onlineFirst(a, b Node) int {
	if a.Online != b.Online {
		if a.Online {
			return -1
		}
		return 1
	}
	return cmp.Or(strings.Compare(a.Address, b.Address), bytes.Compare(a.ID[:], b.ID[:]))
}
