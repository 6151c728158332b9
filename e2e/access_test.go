package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"storj/ecenc/macaroon"
	"storj/netx"
	"storj/netx/identity"
	"storj/pieces"
	"storj/roles/devnet"
)

// key makes an API key of the network's project.
func (n *network) key(t *testing.T, name string) string {
	t.Helper()
	key, err := n.Satellite().Admin().CreateAPIKey(t.Context(), "devnet", name)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// create makes an access by the command, and returns how that ended and the grant.
func (n *network) create(t *testing.T, satellite, key, passphrase string) (result, string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "grant")
	res := n.on(t).try("access", "create", "--satellite", satellite, "--api-key-file", write(t, filepath.Join(dir, "key"), key),
		"--passphrase-file", write(t, filepath.Join(dir, "passphrase"), passphrase), "--export-to", file)
	grant, err := os.ReadFile(file)
	if (err == nil) != (res.status == 0) {
		t.Errorf("access create: status %d, and reading the grant: %v", res.status, err)
	}
	return res, strings.TrimSpace(string(grant))
}

// as returns a client whose access is made of a key and a passphrase.
func (n *network) as(t *testing.T, key, passphrase string) client {
	t.Helper()
	res, grant := n.create(t, n.Satellite().URL().String(), key, passphrase)
	if res.status != 0 {
		t.Fatalf("access create: %s", res.stderr)
	}
	return n.with("STORJ_ACCESS=" + grant).on(t)
}

// TestWrongPassphrase promises that what another passphrase hides never looks like nothing.
func TestWrongPassphrase(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	source := randomFile(t, 10<<10, 30)
	n.must("mb", "sj://names")
	n.must("mb", "--plain-names", "sj://plain")
	n.must("mb", "sj://empty")
	for _, place := range []string{"sj://names/a", "sj://names/dir/b", "sj://plain/a", "sj://plain/dir/b"} {
		n.must("cp", source, place)
	}
	wrong := n.as(t, n.key(t, "wrong"), "another passphrase")
	const said = "could not be decrypted"
	wrong.told(7, said, "ls", "sj://names")
	wrong.told(7, said, "ls", "-r", "sj://names")
	wrong.told(7, said, "du", "sj://names")
	wrong.told(7, said, "cp", "-r", "sj://names", t.TempDir())
	wrong.told(7, said, "rm", "-r", "sj://names")
	wrong.told(3, "not found", "cp", "sj://names/a", t.TempDir()+"/a")
	wrong.told(3, "not found", "stat", "sj://names/a")
	wrong.told(7, "another passphrase", "cp", "sj://plain/a", t.TempDir()+"/a")
	wrong.told(7, "another passphrase", "stat", "sj://plain/a")
	if res := wrong.must("ls", "sj://empty"); strings.Contains(res.stderr, said) {
		t.Errorf("an empty bucket hides names: %s", res.stderr)
	}
	// what it stores itself it sees, and is told of the rest
	wrong.must("cp", source, "sj://names/mine")
	res := wrong.must("ls", "sj://names")
	if !strings.Contains(res.stdout, "mine") || !strings.Contains(res.stderr, "2 names not shown") {
		t.Errorf("beside own names: %s%s", res.stdout, res.stderr)
	}
	n.same("sj://names/a", source)
	n.same("sj://plain/dir/b", source)
}

// TestKeysThatDoNotOpen tells what comes of API keys and addresses that are not good, or not any more.
func TestKeysThatDoNotOpen(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	n.must("mb", "sj://bucket")
	source := randomFile(t, 10<<10, 31)
	n.must("cp", source, "sj://bucket/object")
	key := n.key(t, "first")
	url := n.Satellite().URL()
	restrict := func(caveat macaroon.Caveat) string {
		t.Helper()
		parsed, err := macaroon.Parse(key)
		if err != nil {
			t.Fatal(err)
		}
		restricted, err := parsed.Restrict(caveat)
		if err != nil {
			t.Fatal(err)
		}
		return restricted.Serialize()
	}
	stranger, err := macaroon.NewAPIKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, satellite, key string
		status               int
		says                 string
	}{
		{"key of nobody", url.String(), stranger.Serialize(), 4, "does not accept this API key"},
		{"key cut short", url.String(), key[:len(key)-4], 4, "not a valid access grant"},
		{"no key", url.String(), "nonsense", 4, "not a valid access grant"},
		{"address of nothing", "nonsense", key, 4, "not a valid access grant"},
		{"another satellite's ID", netx.NodeURL{ID: other.ID(), Address: url.Address}.String(), key, 6, netx.ErrIdentity.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			res, _ := n.create(t, test.satellite, test.key, "passphrase")
			if res.status != test.status || !strings.Contains(res.stderr, test.says) {
				t.Errorf("status %d, want %d and %q:\n%s", res.status, test.status, test.says, res.stderr)
			}
			if strings.Contains(res.stderr+res.stdout, test.key) {
				t.Error("the key is shown")
			}
		})
	}
	t.Run("expired", func(t *testing.T) {
		expired := restrict(macaroon.Caveat{NotAfter: time.Now().Add(-time.Minute)})
		res, grant := n.create(t, url.String(), expired, "passphrase")
		if res.status == 0 { // whether it is found out now or at first use
			c := n.with("STORJ_ACCESS=" + grant).on(t)
			res = c.try("ls")
			c.refused(4, "cp", source, "sj://bucket/x")
		}
		if res.status != 4 {
			t.Errorf("status %d:\n%s", res.status, res.stderr)
		}
	})
	t.Run("read only", func(t *testing.T) {
		passphrase, err := os.ReadFile(filepath.Join(n.dir, "passphrase"))
		if err != nil {
			t.Fatal(err)
		}
		c := n.as(t, restrict(macaroon.Caveat{DisallowWrites: true, DisallowDeletes: true}), strings.TrimSpace(string(passphrase)))
		c.must("ls", "sj://bucket")
		c.same("sj://bucket/object", source)
		for _, args := range [][]string{
			{"cp", source, "sj://bucket/x"}, {"mb", "sj://more"}, {"rb", "--force", "sj://bucket"}, {"rm", "sj://bucket/object"},
		} {
			c.told(4, "permission denied", args...)
		}
	})
	t.Run("revoked", func(t *testing.T) {
		c := n.as(t, n.key(t, "revoked"), "passphrase")
		c.must("ls")
		if err := n.Satellite().Admin().RevokeAPIKey(t.Context(), "devnet", "revoked"); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"ls"}, {"cp", source, "sj://bucket/x"}, {"cp", "sj://bucket/object", t.TempDir() + "/x"}} {
			c.told(4, "does not accept this API key", args...)
		}
	})
	t.Run("grant damaged", func(t *testing.T) {
		grant := n.Grant()
		swapped := "1"
		if grant[20] == '1' {
			swapped = "2"
		}
		n.with("STORJ_ACCESS="+grant[:20]+swapped+grant[21:]).on(t).told(3, "nor a valid grant", "ls")
	})
	n.same("sj://bucket/object", source)
}

// TestJoinTokens tells what comes of tokens that are used, old or invented: a node that ends, says why, and has set nothing up.
func TestJoinTokens(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	admin := n.Satellite().Admin()
	once, err := admin.CreateToken(t.Context(), 1, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	url := n.Satellite().URL()
	other, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(t.TempDir(), "node")
	joined := n.runNode(t, dir, once)
	joined() // it serves; and ends
	joined = n.runNode(t, dir, once)
	joined()

	for _, test := range []struct {
		name, token string
		status      int
		says        string
	}{
		{"used up", once, 4, "token"},
		{"expired", pieces.NewJoinToken(url, time.Now().Add(-time.Hour)).Text(), 4, "token"},
		{"invented", pieces.NewJoinToken(url, time.Now().Add(time.Hour)).Text(), 4, "token"},
		{"of another satellite", pieces.NewJoinToken(netx.NodeURL{ID: other.ID(), Address: url.Address}, time.Now().Add(time.Hour)).Text(),
			4, netx.ErrIdentity.Error()},
		{"cut short", once[:len(once)-3], 4, "token"},
		{"nonsense", "nonsense", 4, "token"},
		{"empty file", "@" + write(t, filepath.Join(t.TempDir(), "empty"), ""), 4, "token"},
		{"no file", "@" + filepath.Join(t.TempDir(), "nothing"), 3, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "node")
			res := n.on(t).told(test.status, test.says, nodeArgs(dir, test.token)...)
			if strings.Count(strings.TrimSpace(res.stderr), "\n") > 4 {
				t.Errorf("not one clear error:\n%s", res.stderr)
			}
			// An identity may stay: it was made durable before the token was shown to the satellite, for an answer may get lost.
			if exists(dir) && !slices.Equal(files(t, dir), []string{"identity.key"}) {
				t.Errorf("left behind: %q", files(t, dir))
			}
		})
	}
}

func nodeArgs(dir, token string) []string {
	return []string{"node", "run", "--dir", dir, "--capacity", "1GB", "--address", "127.0.0.1:0", "--log-level", "warn", "--join", token}
}

// runNode runs a node until it has checked in; the result ends it, and the node must end well.
func (n *network) runNode(t *testing.T, dir, token string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan result, 1)
	go func() {
		res, _ := n.start(ctx, nodeArgs(dir, token)) // in this process it never fails to start
		ended <- res
	}()
	until(t, "node to check in", func() error {
		select {
		case res := <-ended:
			t.Fatalf("node ended with status %d:\n%s", res.status, res.stderr)
		default:
		}
		res := n.on(t).try("node", "status", "--dir", dir, "--json")
		if res.status != 0 || !strings.Contains(res.stdout, `"reached": true`) {
			return fmt.Errorf("status %d: %s%s", res.status, res.stdout, res.stderr)
		}
		return nil
	})
	return func() {
		cancel()
		if res := <-ended; res.status != 0 && res.status != 130 {
			t.Errorf("node ended with status %d:\n%s", res.status, res.stderr)
		}
	}
}
