package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"storj/roles/devnet"
	"storj/roles/uplink"
)

// TestBuckets tells what comes of names that are taken, wrong or in use.
func TestBuckets(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	n.must("mb", "sj://taken")
	n.told(5, "exists already", "mb", "sj://taken")
	n.must("mb", "--if-absent", "sj://taken")
	for _, name := range []string{
		"ab", "Capital", "under_score", "-dash", "dash-", ".dot", "two..dots", "space here", strings.Repeat("x", 64), "192.168.0.1", "ümlaut",
	} {
		n.told(2, "bucket name", "mb", "sj://"+name)
	}
	n.told(3, "bucket not found", "ls", "sj://nobody")
	n.told(3, "bucket not found", "rb", "sj://nobody")

	source := randomFile(t, 300<<10, 20)
	n.must("cp", source, "sj://taken/a/b")
	n.must("cp", source, "sj://taken/c")
	n.told(5, "not empty", "rb", "sj://taken")
	n.same("sj://taken/a/b", source)
	n.must("rb", "--force", "sj://taken")
	n.told(3, "bucket not found", "cp", "sj://taken/c", t.TempDir()+"/c")
	n.must("mb", "sj://taken")
	if out := n.must("ls", "-r", "sj://taken").stdout; out != "" {
		t.Errorf("a new bucket of an old name lists:\n%s", out)
	}
	n.must("rb", "sj://taken")
}

// TestKeysOfEveryByte stores objects under keys with every byte value, and in every place of a key where one could matter.
func TestKeysOfEveryByte(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	project := n.project(t)
	var keys []string
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
		keys = append(keys, string([]byte{byte(b)}), string([]byte{'a', byte(b), 'z'}), string([]byte{byte(b), byte(b)}))
	}
	keys = append(keys, string(all), "/", "//", "/a", "a/", "a//b", "a///b", "//a//", ".", "..", "../a", "a/../b", "a/./b", "\xff\xff/\x00\x00")
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain names %t", plain), func(t *testing.T) {
			bucket := fmt.Sprintf("bytes-%t", plain)
			if _, err := project.CreateBucket(t.Context(), bucket, &uplink.BucketOptions{PlainNames: plain}); err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{}
			for _, key := range keys {
				want[key] = true
				if _, err := project.Put(t.Context(), bucket, key, strings.NewReader("content of "+key), nil); err != nil {
					t.Fatalf("put %q: %v", key, err)
				}
			}
			list := project.List(t.Context(), bucket, &uplink.ListOptions{Recursive: true})
			for list.Next() {
				key := list.Item().Key
				if !want[key] {
					t.Errorf("listed %q, which was not stored or was listed before", key)
				}
				delete(want, key)
				content, _, err := read(t.Context(), project, bucket, key)
				if err != nil || string(content) != "content of "+key {
					t.Errorf("%q: read %q, %v", key, content, err)
				}
			}
			if err := list.Err(); err != nil || len(want) > 0 || list.Hidden() > 0 {
				t.Errorf("list: %v, %d hidden, not listed: %q", err, list.Hidden(), slices.Collect(maps.Keys(want)))
			}
		})
	}
}

// longest returns how large an object's key may be, where key(size) is a key that grows with size.
func longest(t *testing.T, project *uplink.Project, bucket string, key func(size int) string) int {
	t.Helper()
	fits, not := 1, 8192
	for fits+1 < not {
		middle := (fits + not) / 2
		_, err := project.Put(t.Context(), bucket, key(middle), strings.NewReader("x"), nil)
		switch {
		case err == nil:
			fits = middle
		case errors.Is(err, uplink.ErrObjectKeyInvalid):
			not = middle
		default:
			t.Fatalf("key of size %d: %v", middle, err)
		}
	}
	return fits
}

// TestKeysAtTheLimit stores under the longest key, the deepest path, and is told of one that is over.
func TestKeysAtTheLimit(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	project := n.project(t)
	for _, test := range []struct {
		name  string
		plain bool
		key   func(size int) string
		least int // that is promised: an S3 key of 1024 bytes, and folders of it
	}{
		{"long", false, func(size int) string { return strings.Repeat("k", size) }, 1024},
		{"long plain", true, func(size int) string { return strings.Repeat("k", size) }, 1024},
		{"deep", false, func(size int) string { return strings.Repeat("d/", size) + "f" }, 100},
		{"deep plain", true, func(size int) string { return strings.Repeat("d/", size) + "f" }, 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			bucket := strings.ReplaceAll(test.name, " ", "-")
			if _, err := project.CreateBucket(t.Context(), bucket, &uplink.BucketOptions{PlainNames: test.plain}); err != nil {
				t.Fatal(err)
			}
			size := longest(t, project, bucket, test.key)
			t.Logf("longest: %d", size)
			if size < test.least {
				t.Errorf("no more than %d, promised are %d", size, test.least)
			}
			c := n.on(t)
			place, over := "sj://"+bucket+"/"+test.key(size), "sj://"+bucket+"/"+test.key(size+1)
			source := write(t, t.TempDir()+"/source", "what is stored")
			c.must("cp", source, place)
			c.same(place, source)
			if out := c.must("ls", "-r", "sj://"+bucket).stdout; !strings.Contains(out, test.key(size)) {
				t.Error("the longest key is not listed")
			}
			c.told(2, "object key invalid", "cp", source, over)
			for _, args := range [][]string{{"stat", over}, {"cp", over, t.TempDir() + "/x"}, {"rm", over}, {"mv", place, over}} {
				if res := c.try(args...); res.status != 2 && res.status != 3 {
					t.Errorf("%s of a key over the limit: status %d\n%s", args[0], res.status, res.stderr)
				}
			}
			c.must("rm", place)
		})
	}
}

// TestSameKeyAtOnce has writers store different contents under one key at the same time: one whole content wins.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	project := n.project(t)
	n.must("mb", "sj://race")
	const writers = 6
	for round, size := range []int{1, 3000, 5000, 200 << 10, 1 << 20} {
		contents := make([][]byte, writers)
		var running sync.WaitGroup
		for i := range contents {
			contents[i] = bytes.Repeat([]byte{byte('a' + i)}, size+i)
			running.Go(func() {
				if _, err := project.Put(t.Context(), "race", "key", bytes.NewReader(contents[i]), nil); err != nil {
					t.Errorf("round %d, writer %d: %v", round, i, err)
				}
			})
		}
		running.Wait()
		got, _, err := read(t.Context(), project, "race", "key")
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		i := len(got) - size
		if i < 0 || i >= writers || !bytes.Equal(got, contents[i]) {
			t.Fatalf("round %d: %d bytes that nobody wrote", round, len(got))
		}
	}
}

// TestReadAfterWrite has every change seen at once, by the one who made it and by others.
func TestReadAfterWrite(t *testing.T) {
	t.Parallel()
	n := start(t, devnet.Options{})
	writer, reader := n.project(t), n.project(t)
	n.must("mb", "sj://fresh")
	ctx := t.Context()
	has := func(key, content string) {
		t.Helper()
		for who, project := range map[string]*uplink.Project{"writer": writer, "reader": reader} {
			got, _, err := read(ctx, project, "fresh", key)
			if err != nil || string(got) != content {
				t.Fatalf("%s of %s: %d bytes, %v, want %d", who, key, len(got), err, len(content))
			}
		}
	}
	gone := func(key string) {
		t.Helper()
		if err := absent(ctx, reader, "fresh", key); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 20 {
		key := fmt.Sprintf("dir/%d", round)
		first := strings.Repeat("1", 1+rand.IntN(20<<10))
		second := strings.Repeat("2", 1+rand.IntN(20<<10))
		steps := []struct {
			do    func() error
			after func()
		}{
			{func() error { _, err := writer.Put(ctx, "fresh", key, strings.NewReader(first), nil); return err }, func() { has(key, first) }},
			{func() error { _, err := writer.Put(ctx, "fresh", key, strings.NewReader(second), nil); return err }, func() { has(key, second) }},
			{func() error { _, err := writer.Copy(ctx, "fresh", key, "fresh", key+"-copy", nil); return err }, func() { has(key+"-copy", second) }},
			{func() error { _, err := writer.Move(ctx, "fresh", key, "fresh", key+"-moved", nil); return err }, func() { has(key+"-moved", second); gone(key) }},
			{func() error { return writer.Delete(ctx, "fresh", key+"-moved") }, func() { gone(key + "-moved"); has(key+"-copy", second) }},
		}
		for i, step := range steps {
			if err := step.do(); err != nil {
				t.Fatalf("round %d, step %d: %v", round, i, err)
			}
			step.after()
		}
	}
}

// absent returns an error unless an object is neither found nor listed.
func absent(ctx context.Context, project *uplink.Project, bucket, key string) error {
	if _, err := project.Stat(ctx, bucket, key); !errors.Is(err, uplink.ErrObjectNotFound) {
		return fmt.Errorf("%s is still there: %v", key, err)
	}
	list := project.List(ctx, bucket, &uplink.ListOptions{Recursive: true})
	for list.Next() {
		if list.Item().Key == key {
			return fmt.Errorf("%s is still listed", key)
		}
	}
	return list.Err()
}
