package uplink

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"storj/ecenc"
	"storj/ecenc/keys"
	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/endpoint"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/metainfo/metaclient"
	"storj/netx"
	"storj/netx/memnet"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/memstore"
	"storj/pieces/piecenode"
	"storj/roles/satellite/orders"
)

// world is a satellite and nodes in memory: the parts that serve in earnest, joined by an in-memory network.
type world struct {
	network   *memnet.Network
	satellite netx.NodeURL
	secret    ecenc.Key
	scheme    ecenc.Redundancy
	service   *tunedService
	nodes     []*testNode
	apiKey    *macaroon.APIKey

	mu   sync.Mutex // guards the field below
	dead map[netx.NodeID]bool
}

type testNode struct {
	url   netx.NodeURL
	store *memstore.Store
}

// tunedService is the endpoint with a hook before each call and small segments, so that tests need little data.
type tunedService struct {
	metainfo.Service
	segmentSize int64
	calls       atomic.Int64
	before      atomic.Pointer[func(method string) error]
	after       atomic.Pointer[func(method string, resp any) error]
}

// testSegment is the plaintext of a full segment in tests: four cipher blocks.
const testSegment = 4 * (ecenc.CipherBlockSize - ecenc.TagSize)

func hooked[Req, Resp any](ctx context.Context, s *tunedService, method string, inner func(context.Context, *Req) (*Resp, error), req *Req) (*Resp, error) {
	s.calls.Add(1)
	if hook := s.before.Load(); hook != nil {
		if err := (*hook)(method); err != nil {
			return nil, err
		}
	}
	resp, err := inner(ctx, req)
	if hook := s.after.Load(); hook != nil && err == nil {
		err = (*hook)(method, resp)
	}
	return resp, err
}

func (s *tunedService) ProjectInfo(ctx context.Context, req *metainfo.ProjectInfoRequest) (*metainfo.ProjectInfo, error) {
	info, err := hooked(ctx, s, "ProjectInfo", s.Service.ProjectInfo, req)
	if err == nil {
		info.SegmentSize = s.segmentSize
	}
	return info, err
}

func (s *tunedService) CreateBucket(ctx context.Context, req *metainfo.CreateBucketRequest) (*metainfo.Bucket, error) {
	return hooked(ctx, s, "CreateBucket", s.Service.CreateBucket, req)
}

func (s *tunedService) GetBucket(ctx context.Context, req *metainfo.BucketRequest) (*metainfo.Bucket, error) {
	return hooked(ctx, s, "GetBucket", s.Service.GetBucket, req)
}

func (s *tunedService) BeginObject(ctx context.Context, req *metainfo.BeginObjectRequest) (*metainfo.BeginObjectResult, error) {
	return hooked(ctx, s, "BeginObject", s.Service.BeginObject, req)
}

func (s *tunedService) BeginSegment(ctx context.Context, req *metainfo.BeginSegmentRequest) (*metainfo.SegmentPlan, error) {
	return hooked(ctx, s, "BeginSegment", s.Service.BeginSegment, req)
}

func (s *tunedService) CommitSegment(ctx context.Context, req *metainfo.CommitSegmentRequest) error {
	_, err := hooked(ctx, s, "CommitSegment", noResult(s.Service.CommitSegment), req)
	return err
}

func (s *tunedService) CommitObject(ctx context.Context, req *metainfo.CommitObjectRequest) (*metainfo.Object, error) {
	return hooked(ctx, s, "CommitObject", s.Service.CommitObject, req)
}

func (s *tunedService) GetObject(ctx context.Context, req *metainfo.ObjectRequest) (*metainfo.Object, error) {
	return hooked(ctx, s, "GetObject", s.Service.GetObject, req)
}

func (s *tunedService) AbortObject(ctx context.Context, req *metainfo.AbortObjectRequest) error {
	_, err := hooked(ctx, s, "AbortObject", noResult(s.Service.AbortObject), req)
	return err
}

func (s *tunedService) Download(ctx context.Context, req *metainfo.DownloadRequest) (*metainfo.DownloadResult, error) {
	return hooked(ctx, s, "Download", s.Service.Download, req)
}

func (s *tunedService) DownloadSegments(ctx context.Context, req *metainfo.DownloadSegmentsRequest) (*metainfo.DownloadSegmentsResult, error) {
	return hooked(ctx, s, "DownloadSegments", s.Service.DownloadSegments, req)
}

func (s *tunedService) CopyObject(ctx context.Context, req *metainfo.CopyObjectRequest) (*metainfo.Object, error) {
	return hooked(ctx, s, "CopyObject", s.Service.CopyObject, req)
}

func (s *tunedService) UpdateMetadata(ctx context.Context, req *metainfo.UpdateMetadataRequest) error {
	_, err := hooked(ctx, s, "UpdateMetadata", noResult(s.Service.UpdateMetadata), req)
	return err
}

func (s *tunedService) DeleteObjects(ctx context.Context, req *metainfo.DeleteObjectsRequest) (*metainfo.DeleteObjectsResult, error) {
	return hooked(ctx, s, "DeleteObjects", s.Service.DeleteObjects, req)
}

func (s *tunedService) BeginPart(ctx context.Context, req *metainfo.BeginPartRequest) (*metainfo.BeginObjectResult, error) {
	return hooked(ctx, s, "BeginPart", s.Service.BeginPart, req)
}

func (s *tunedService) CommitPart(ctx context.Context, req *metainfo.CommitPartRequest) (*metainfo.Part, error) {
	return hooked(ctx, s, "CommitPart", s.Service.CommitPart, req)
}

func (s *tunedService) GetUpload(ctx context.Context, req *metainfo.UploadRequest) (*metainfo.PendingUpload, error) {
	return hooked(ctx, s, "GetUpload", s.Service.GetUpload, req)
}

func (s *tunedService) ListParts(ctx context.Context, req *metainfo.ListPartsRequest) (*metainfo.PartList, error) {
	return hooked(ctx, s, "ListParts", s.Service.ListParts, req)
}

func (s *tunedService) SetLock(ctx context.Context, req *metainfo.SetLockRequest) error {
	_, err := hooked(ctx, s, "SetLock", noResult(s.Service.SetLock), req)
	return err
}

func (s *tunedService) DeletePrefix(ctx context.Context, req *metainfo.DeletePrefixRequest) (*metainfo.Deletion, error) {
	return hooked(ctx, s, "DeletePrefix", s.Service.DeletePrefix, req)
}

func nodeID(name string) netx.NodeID { return sha256.Sum256([]byte(name)) }

// newWorld starts a satellite and count nodes; they end with the test.
func newWorld(t testing.TB, count int) *world {
	t.Helper()
	w := &world{
		network: memnet.New(1), secret: ecenc.Key{1, 2, 3}, dead: make(map[netx.NodeID]bool),
		scheme: ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 4, Repair: 6, Optimal: 8, Total: 10},
	}
	if count < w.scheme.Total {
		w.scheme = ecenc.Redundancy{Code: ecenc.CodeVandermonde, Required: 1, Repair: 1, Optimal: min(count, 2), Total: min(count, 2)}
	}
	ctx := context.WithoutCancel(t.Context())
	db, err := metabase.Open(ctx, memkv.New(memkv.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	transport := w.network.Transport(nodeID("satellite"))
	w.satellite = netx.NodeURL{ID: nodeID("satellite"), Address: transport.Address()}
	signer := orders.New(orders.Options{Satellite: w.satellite.ID, Secret: w.secret})
	served := endpoint.New(endpoint.Options{DB: db, Secret: w.secret, Nodes: w, Limits: signer, Rate: -1})
	runDeletions(t, served)
	w.service = &tunedService{
		Service:     served,
		segmentSize: testSegment,
	}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	metaclient.Register(server, w.service)
	serve(t, server, transport)
	for i := range count {
		w.addNode(t, db, signer, fmt.Sprintf("node %d", i))
	}
	w.addProject(t, db)
	return w
}

// runDeletions does what deletions in the background are asked of the endpoint, until the test ends.
func runDeletions(t testing.TB, served *endpoint.Endpoint) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-served.Deletions():
				if err := served.DeletionRound(ctx); err != nil {
					t.Error(err)
				}
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func serve(t testing.TB, server *rpc.Server, transport *memnet.Transport) {
	t.Helper()
	listener, err := transport.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(ctx, listener) })
	t.Cleanup(func() {
		cancel()
		_ = transport.Close()
		running.Wait()
	})
}

type keyring struct {
	signer *orders.Signer
	node   netx.NodeID
}

func (k keyring) NodeKeys(netx.NodeID) ([]pieces.NodeKey, error) {
	return k.signer.NodeKeys(k.node), nil
}

func (w *world) addNode(t testing.TB, db *metabase.DB, signer *orders.Signer, name string) {
	t.Helper()
	id := nodeID(name)
	transport := w.network.Transport(id)
	n := &testNode{url: netx.NodeURL{ID: id, Address: transport.Address()}, store: memstore.New(memstore.Options{})}
	server := rpc.NewServer(zerolog.Nop(), rpc.Options{})
	piecenode.New(piecenode.Options{ID: id, Store: n.store, Keys: keyring{signer, id}}).Register(server)
	serve(t, server, transport)
	address := func(node *metabase.Node, _ bool) error {
		node.Address = n.url.Address
		return nil
	}
	if _, err := db.PutNode(t.Context(), id, address); err != nil {
		t.Fatal(err)
	}
	w.nodes = append(w.nodes, n)
}

func (w *world) addProject(t testing.TB, db *metabase.DB) {
	t.Helper()
	ctx := t.Context()
	project, err := db.CreateProject(ctx, "project")
	if err != nil {
		t.Fatal(err)
	}
	secret := ecenc.Key{9, 8, 7}
	if w.apiKey, err = macaroon.NewAPIKey(secret[:]); err != nil {
		t.Fatal(err)
	}
	err = db.CreateAPIKey(ctx, metainfo.APIKeyRecord{Head: w.apiKey.Head(), Secret: secret, Project: project.ID, Name: "key"})
	if err != nil {
		t.Fatal(err)
	}
}

// Placement, Redundancy, Pick, Node, Report and Suspect are endpoint.NodePicker.
func (w *world) Placement(placement uint32) bool { return placement == 0 }

func (w *world) Redundancy(uint32) ecenc.Redundancy { return w.scheme }

func (w *world) Pick(_ uint32, count int, exclude []netx.NodeID) (urls []endpoint.PickedNode) {
	skip := make(map[netx.NodeID]bool, len(exclude))
	for _, id := range exclude {
		skip[id] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range rand.Perm(len(w.nodes)) {
		if url := w.nodes[i].url; len(urls) < count && !skip[url.ID] && !w.dead[url.ID] {
			urls = append(urls, endpoint.PickedNode{NodeURL: url})
		}
	}
	return urls
}

func (w *world) Node(id netx.NodeID) (url netx.NodeURL, online, known bool) {
	for _, n := range w.nodes {
		if n.url.ID == id {
			return n.url, true, true
		}
	}
	return netx.NodeURL{}, false, false
}

func (w *world) Report(_, _ []netx.NodeID) {}

func (w *world) Suspect([]netx.NodeID) {}

// kill takes a node off the network. With notice, the satellite does not pick it any more.
func (w *world) kill(n *testNode, notice bool) {
	w.network.Kill(n.url.ID)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead[n.url.ID] = notice
}

var uplinks atomic.Int64

// config is that of an uplink with a transport of its own.
func (w *world) config(t testing.TB) Config {
	t.Helper()
	transport := w.network.Transport(nodeID(fmt.Sprintf("uplink %d", uplinks.Add(1))))
	t.Cleanup(func() { _ = transport.Close() })
	return Config{Transport: transport}
}

// access is what RequestAccess gives for a passphrase, without its 64 MiB of key derivation.
func (w *world) access(passphrase string) *Access {
	root := ecenc.Key(sha256.Sum256([]byte(passphrase)))
	return &Access{satellite: w.satellite, apiKey: w.apiKey, keys: keys.NewAccess(root)}
}

// open opens the project with a passphrase.
func (w *world) open(t testing.TB, passphrase string) *Project {
	t.Helper()
	return w.openAccess(t, w.config(t), w.access(passphrase))
}

func (w *world) openAccess(t testing.TB, config Config, access *Access) *Project {
	t.Helper()
	project, err := Open(t.Context(), config, access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := project.Close(); err != nil {
			t.Error(err)
		}
	})
	return project
}

// loseAnswer has the satellite do what the first n calls of a method ask, and the answers lost on the way.
func (w *world) loseAnswer(method string, n int64) {
	var left atomic.Int64
	left.Store(n)
	hook := func(called string, _ any) error {
		if called == method && left.Add(-1) >= 0 {
			return netx.ErrClosed
		}
		return nil
	}
	w.service.after.Store(&hook)
}

// refuse has the first n calls of a method fail before the satellite does anything.
func (w *world) refuse(method string, n int64, err error) {
	var left atomic.Int64
	left.Store(n)
	hook := func(called string) error {
		if called == method && left.Add(-1) >= 0 {
			return err
		}
		return nil
	}
	w.service.before.Store(&hook)
}
