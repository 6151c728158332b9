package care

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/kv/memkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/identity"
)

var update = flag.Bool("update", false, "write golden files")

const phrase = "correct horse"

func fullStore(t testing.TB) (kv.Store, *metabase.DB, metainfo.ProjectID) {
	t.Helper()
	store := memkv.New(memkv.Options{})
	t.Cleanup(func() { _ = store.Close() })
	db, err := metabase.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	project, err := db.CreateProject(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateBucket(t.Context(), project.ID, metainfo.Bucket{Name: "photos"}); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		stream := metainfo.NewStreamID()
		content := bytes.Repeat([]byte{byte(i)}, 2000)
		_, err := db.CommitObject(t.Context(), metabase.CommitObject{
			Upload: metabase.Upload{
				ObjectRef: metabase.ObjectRef{Project: project.ID, Bucket: "photos", Key: []byte{'k', byte(i) + 1}},
				Stream:    stream, Created: time.Now(),
			},
			Last:     &metainfo.Segment{Stream: stream, Created: time.Now(), PlainSize: 2000, EncryptedSize: 2000, Inline: content},
			Segments: 1, WrappedKey: []byte("key"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return store, db, project.ID
}

// identityFile returns an identity and its file.
func identityFile(t testing.TB) (*identity.Identity, []byte) {
	t.Helper()
	id, err := identity.Generate()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "identity.key")
	if err := id.Save(path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return id, raw
}

// archive backs a store up.
func archive(t testing.TB, store kv.Store, m *Manifest) []byte {
	t.Helper()
	var out bytes.Buffer
	err := Write(&out, []byte(phrase), m, func(w io.Writer) error {
		_, err := kv.Dump(t.Context(), store, w)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func names() Names {
	return Names{DB: "satellite.db", Identity: "identity.key", Settings: "config.yaml"}
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	store, _, project := fullStore(t)
	id, raw := identityFile(t)
	snapshot := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	sealed := archive(t, store, &Manifest{Created: snapshot, Satellite: id.ID(), Version: "v1", Identity: raw, Settings: []byte("a: b\n")})
	if bytes.Contains(sealed, []byte("photos")) || bytes.Contains(sealed, []byte("PRIVATE KEY")) {
		t.Fatal("readable without the passphrase")
	}
	m, rows, err := Verify(t.Context(), bytes.NewReader(sealed), []byte(phrase))
	if err != nil || rows < 80 || m.Satellite != id.ID() {
		t.Fatalf("%v, %d rows, %v", m, rows, err)
	}
	dir := filepath.Join(t.TempDir(), "new", "satellite")
	report, err := Restore(t.Context(), bytes.NewReader(sealed), []byte(phrase), dir, names())
	if err != nil || report.Rows != rows || report.Faults != nil || !report.Manifest.Created.Equal(snapshot) {
		t.Fatalf("%+v, %v", report, err)
	}
	back, err := identity.Load(filepath.Join(dir, "identity.key"))
	if err != nil || back.ID() != id.ID() {
		t.Errorf("identity: %v", err)
	}
	if settings, err := os.ReadFile(filepath.Join(dir, "config.yaml")); err != nil || string(settings) != "a: b\n" {
		t.Errorf("settings %q, %v", settings, err)
	}
	restored, err := boltkv.Open(t.Context(), filepath.Join(dir, "satellite.db"), boltkv.Options{Format: metabase.Format()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = restored.Close() }()
	checkRestored(t, restored, project, snapshot)
	if _, err := Restore(t.Context(), bytes.NewReader(sealed), []byte(phrase), dir, names()); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over a satellite: %v", err)
	}
}

func checkRestored(t *testing.T, store kv.Store, project metainfo.ProjectID, snapshot time.Time) {
	t.Helper()
	db, err := metabase.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), db, nil); err != nil {
		t.Error(err)
	}
	totals, err := db.BucketTotals(t.Context())
	if err != nil || len(totals) != 1 || totals[0].Project != project || totals[0].Objects != 40 {
		t.Errorf("%+v, %v", totals, err)
	}
	reviver := NewReviver(ReviverOptions{DB: db})
	if err := reviver.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, at := reviver.Restored(); !got.Equal(snapshot) || time.Since(at) > time.Minute {
		t.Errorf("marked as restored from %v at %v", got, at)
	}
	if err := reviver.Hold(netx.NodeID{}); !errors.Is(err, ErrRestored) {
		t.Errorf("garbage is not held: %v", err)
	}
}

// TestArchiveDamage cuts and alters an archive everywhere: it never opens to its end, and leaves nothing behind.
func TestArchiveDamage(t *testing.T) {
	t.Parallel()
	store, _, _ := fullStore(t)
	id, raw := identityFile(t)
	whole := archive(t, store, &Manifest{Created: time.Now(), Satellite: id.ID(), Identity: raw})
	open := func(b []byte, passphrase string) error {
		_, _, err := Verify(t.Context(), bytes.NewReader(b), []byte(passphrase))
		return err
	}
	if err := open(whole, phrase); err != nil {
		t.Fatal(err)
	}
	if err := open(whole, "incorrect horse"); !errors.Is(err, ErrArchive) {
		t.Errorf("wrong passphrase: %v", err)
	}
	const head = len(archiveMagic) + 1 + saltSize
	for _, size := range []int{0, 7, head, head + 10, head + 32768, head + 2*32768, len(whole) - 1} {
		if err := open(whole[:size], phrase); !errors.Is(err, ErrArchive) && !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("cut to %d: %v", size, err)
		}
	}
	if err := open(append(slices.Clone(whole), 0), phrase); !errors.Is(err, ErrArchive) {
		t.Errorf("longer: %v", err)
	}
	step := 1 + len(whole)/6 // each costs a passphrase derivation
	for at := 0; at < len(whole); at += step {
		bad := slices.Clone(whole)
		bad[at] ^= 1
		if err := open(bad, phrase); !errors.Is(err, ErrArchive) {
			t.Errorf("altered at %d: %v", at, err)
		}
	}
	newer := slices.Clone(whole)
	newer[len(archiveMagic)]++
	if err := open(newer, phrase); !errors.Is(err, ErrArchiveVersion) {
		t.Errorf("another version: %v", err)
	}
	parent := t.TempDir()
	if _, err := Restore(t.Context(), bytes.NewReader(whole[:len(whole)-1]), []byte(phrase), filepath.Join(parent, "sat"), names()); err == nil {
		t.Error("a cut archive was restored")
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
}

func TestRestoreRefusesForeignIdentity(t *testing.T) {
	t.Parallel()
	store, _, _ := fullStore(t)
	_, raw := identityFile(t)
	other, _ := identityFile(t)
	sealed := archive(t, store, &Manifest{Created: time.Now(), Satellite: other.ID(), Identity: raw})
	_, err := Restore(t.Context(), bytes.NewReader(sealed), []byte(phrase), filepath.Join(t.TempDir(), "sat"), names())
	if !errors.Is(err, ErrIdentity) {
		t.Error(err)
	}
	if err := Write(io.Discard, []byte("short"), &Manifest{}, nil); !errors.Is(err, ErrPassphrase) {
		t.Errorf("short passphrase: %v", err)
	}
}

// TestGoldenArchive opens an archive that an earlier version made.
func TestGoldenArchive(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "archive.golden")
	store := memkv.New(memkv.Options{})
	defer func() { _ = store.Close() }()
	err := store.Update(t.Context(), func(tx kv.Tx) error { return tx.Put([]byte("a"), []byte("xyz")) })
	if err != nil {
		t.Fatal(err)
	}
	m := Manifest{Created: time.Unix(1_800_000_000, 0).UTC(), Satellite: netx.NodeID{1, 2, 3}, Version: "v1", Identity: []byte("id")}
	head := append([]byte(archiveMagic), archiveVersion)
	var out bytes.Buffer
	err = writeArchive(&out, append(head, bytes.Repeat([]byte{5}, saltSize)...), []byte(phrase), &m, func(w io.Writer) error {
		_, err := kv.Dump(t.Context(), store, w)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Error("the format has changed")
	}
	got, rows, err := Verify(t.Context(), bytes.NewReader(want), []byte(phrase))
	if err != nil || rows != 1 || got.Version != "v1" || string(got.Identity) != "id" || !got.Created.Equal(m.Created) {
		t.Errorf("%+v, %d rows, %v", got, rows, err)
	}
}

// FuzzArchive has any plaintext behind the seal: whoever knows the passphrase may have made it.
func FuzzArchive(f *testing.F) {
	c, err := archiveCipher([]byte(phrase), make([]byte, saltSize))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x00\x01a\x03xyz\x00\x01"), 0)
	f.Add([]byte("\xff\xff\xff\xff\x0f"), 3)
	f.Add([]byte{}, -1)
	f.Fuzz(func(t *testing.T, plain []byte, cut int) {
		sealed := c.SealSegment(nil, plain)
		if cut > 0 && cut < len(sealed) {
			sealed = sealed[:len(sealed)-cut]
		}
		a := newArchive(bytes.NewReader(sealed), c)
		if err := a.readManifest(); err != nil {
			return
		}
		if _, err := load(context.Background(), newSink(), a); err == nil && cut > 0 && cut < len(plain) {
			t.Fatal("a cut archive was read to its end")
		}
	})
}

func BenchmarkArchive(b *testing.B) {
	c, err := archiveCipher([]byte(phrase), make([]byte, saltSize))
	if err != nil {
		b.Fatal(err)
	}
	chunk := make([]byte, 256<<10)
	b.SetBytes(int64(len(chunk)))
	s := &sealWriter{out: io.Discard, sealer: cipher.NewSealer(c)}
	for b.Loop() {
		if _, err := s.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
}
