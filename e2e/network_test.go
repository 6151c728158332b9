package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"storj/roles/command"
	"storj/roles/devnet"
	"storj/roles/uplink"
)

// network is a network in this process, with a client's view of it whose commands run in this process too.
type network struct {
	*devnet.Network
	client
	dir     string // of the network
	environ []string
}

// start runs a network that ends with the test; of four nodes, unless opts says otherwise.
func start(t *testing.T, opts devnet.Options) *network {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	if opts.Nodes == 0 {
		opts.Nodes = 4
	}
	opts.RelaxedSync = true // nobody cuts the power of this process
	net, err := devnet.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	home := t.TempDir()
	environ := []string{"HOME=" + home, "STORJ_CONFIG_DIR=" + filepath.Join(home, "config"), "STORJ_ACCESS=" + net.Grant()}
	return &network{Network: net, client: client{t: t, start: startHere(environ)}, dir: opts.Dir, environ: environ}
}

// startHere runs commands in this process.
func startHere(environ []string) func(ctx context.Context, args []string) (result, error) {
	return func(ctx context.Context, args []string) (result, error) {
		var stdout, stderr bytes.Buffer
		status := command.Main(ctx, command.Env{
			Args: append([]string{"storj"}, args...), Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Environ: environ,
		})
		return result{stdout: stdout.String(), stderr: stderr.String(), status: status}, nil
	}
}

// with returns a client that has another environment besides: the last entry of a name counts.
func (n *network) with(environ ...string) client {
	return client{t: n.t, start: startHere(append(n.environ[:len(n.environ):len(n.environ)], environ...))}
}

// project opens the network with the library.
func (n *network) project(t *testing.T) *uplink.Project { return openGrant(t, n.Grant()) }

func openGrant(t *testing.T, grant string) *uplink.Project {
	t.Helper()
	access, err := uplink.ParseAccess(grant)
	if err != nil {
		t.Fatal(err)
	}
	project, err := uplink.Open(t.Context(), uplink.Config{}, access)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = project.Close() }) // best effort: what matters was checked
	return project
}

// read fetches a whole object.
func read(ctx context.Context, project *uplink.Project, bucket, key string) (content []byte, stats uplink.DownloadStats, err error) {
	download, err := project.Download(ctx, bucket, key, nil)
	if err != nil {
		return nil, stats, err
	}
	content, err = io.ReadAll(download)
	stats = download.Stats()
	return content, stats, errors.Join(err, download.Close())
}

// write makes a file with its directories.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// files lists the names in a directory.
func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

// nodeName is the directory of node i in that of its network.
func nodeName(i int) string { return fmt.Sprintf("node%d", i) }
