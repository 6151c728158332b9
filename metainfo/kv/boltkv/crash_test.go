package boltkv_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
)

// crashPath in the environment makes this test binary a process that writes until it is killed.
const crashPath = "BOLTKV_CRASH_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		if err := writeUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestCrash kills a writing process at random instants; what it had acknowledged must be there, and transactions
// must be whole.
func TestCrash(t *testing.T) {
	t.Parallel()
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	path := t.TempDir() + "/kv"
	acked := map[uint64]uint64{}
	for range rounds {
		killed(t, path, time.Duration(50+rnd.IntN(200))*time.Millisecond, acked)
		s := open(t, path, boltkv.Options{})
		verify(t, s, acked)
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acked) == 0 {
		t.Error("nothing was acknowledged: the test tests nothing")
	}
}

// killed runs a writer for a while and collects, for each of its clients, the last counter it acknowledged.
func killed(t *testing.T, path string, after time.Duration, acked map[uint64]uint64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashPath+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var stop *time.Timer
	for in := bufio.NewScanner(out); in.Scan(); {
		var client, n uint64
		if _, err := fmt.Sscanf(in.Text(), "acked %d %d.", &client, &n); err != nil {
			break // the line that the kill cut
		}
		acked[client] = n
		if stop == nil {
			stop = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
			defer stop.Stop()
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("writer ended by itself")
	}
}

func verify(t *testing.T, s kv.Store, acked map[uint64]uint64) {
	t.Helper()
	err := s.View(t.Context(), func(tx kv.Tx) error {
		for client, n := range acked {
			got, err := tx.Get(crashKey('n', client, 0))
			if err != nil {
				return err
			}
			if stored := binary.BigEndian.Uint64(got); stored < n {
				t.Errorf("client %d: %d was acknowledged, %d is stored", client, n, stored)
			} else {
				acked[client] = stored // where its successor went on
			}
			for i := range acked[client] { // each counter came with a row in the same transaction
				if _, err := tx.Get(crashKey('r', client, i+1)); err != nil {
					return fmt.Errorf("client %d row %d of %d: %w", client, i+1, n, err)
				}
			}
			if _, err := tx.Get(crashKey('r', client, acked[client]+1)); !errors.Is(err, kv.ErrNotFound) {
				t.Errorf("client %d has half a transaction: %v", client, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func crashKey(kind byte, client, n uint64) []byte {
	return kv.AppendUint64(kv.AppendUint64([]byte{kind}, client), n)
}

// writeUntilKilled has several clients count up and say so.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	s, err := boltkv.Open(ctx, path, boltkv.Options{})
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for client := range uint64(8) {
		wg.Go(func() {
			for {
				var n uint64
				err := s.Update(ctx, func(tx kv.Tx) error {
					n = 1
					if b, err := tx.Get(crashKey('n', client, 0)); err == nil {
						n += binary.BigEndian.Uint64(b)
					}
					return errors.Join(tx.Put(crashKey('n', client, 0), kv.AppendUint64(nil, n)),
						tx.Put(crashKey('r', client, n), make([]byte, n*37%3000)))
				})
				if err != nil {
					return
				}
				fmt.Printf("acked %d %d.\n", client, n) // one write
			}
		})
	}
	wg.Wait()
	return errors.New("a write failed")
}
