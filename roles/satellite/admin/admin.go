package admin

import (
	"context"
	"time"

	"storj/metainfo"
	"storj/netx"
)

// Admin is what the owner does. A project is named by its name or by its ID in hex.
type Admin interface {
	// Status says how the satellite is.
	Status(ctx context.Context) (*Status, error)
	// CreateProject makes a project. Errors: metainfo.ErrName, ErrProjectExists.
	CreateProject(ctx context.Context, name string) (*Project, error)
	// ListProjects returns all projects by name.
	ListProjects(ctx context.Context) ([]Project, error)
	// CreateAPIKey makes an unrestricted key and returns its text: it can never be asked for again.
	// Errors: metainfo.ErrName, ErrProjectNotFound, ErrKeyExists.
	CreateAPIKey(ctx context.Context, project, name string) (text string, err error)
	// ListAPIKeys returns the keys of a project, without their secrets. Errors: metainfo.ErrProjectNotFound.
	ListAPIKeys(ctx context.Context, project string) ([]APIKey, error)
	// RevokeAPIKey ends a key and all that were made from it. It may be repeated.
	// Errors: metainfo.ErrProjectNotFound, ErrKeyNotFound.
	RevokeAPIKey(ctx context.Context, project, name string) error
	// CreateToken returns a token by which uses nodes may join within life. Errors: ErrTokenOptions.
	CreateToken(ctx context.Context, uses int, life time.Duration) (text string, err error)
	// ListNodes returns all nodes, those in contact first.
	ListNodes(ctx context.Context) ([]Node, error)
}

// Reasons 395-399 of metainfo's range are this package's.
var (
	// ErrTokenOptions is returned for a token of no use or no life, or too much of either.
	ErrTokenOptions = netx.Sentinel(netx.Invalid, 395, "a join token has 1 to 1000 uses and lives 1 minute to 366 days")
	// ErrAddress is returned when the satellite does not know the address at which others reach it.
	ErrAddress = netx.Sentinel(netx.Invalid, 396, "the satellite's own address is not set: nodes could not find it")
)

// Errors lists the sentinels of admin.
func Errors() []*netx.Error { return []*netx.Error{ErrTokenOptions, ErrAddress} }

// Project describes a project.
type Project struct {
	ID      metainfo.ProjectID
	Name    string
	Created time.Time
}

// APIKey describes an API key.
type APIKey struct {
	Name    string
	Created time.Time
	Revoked bool
}

// Node describes a node.
type Node struct {
	ID          netx.NodeID
	Address     string
	Domain      string // named by its owner
	Version     string
	Capacity    int64 // bytes
	Used        int64
	Free        int64
	Joined      time.Time
	LastContact time.Time
	Online      bool
}

// Status says how a satellite is.
type Status struct {
	Satellite  netx.NodeURL
	Version    string
	Running    bool // false: read from the database of a satellite that is stopped
	Uptime     time.Duration
	Projects   int64
	Buckets    int64
	Objects    int64
	Segments   int64
	Bytes      int64 // plaintext of all objects
	Nodes      int64
	Online     int64
	Domains    int64  // distinct failure domains that take pieces
	Redundancy string // in force: required/repair/optimal/total
	Auto       bool   // the redundancy follows the network
	DBBytes    int64
	Warnings   []string // what the owner should know or do
}
