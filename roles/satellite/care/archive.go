package care

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"storj/ecenc"
	"storj/ecenc/cipher"
	"storj/ecenc/keys"
	"storj/ecenc/wire"
	"storj/netx"
)

const (
	archiveMagic   = "storjbak"
	archiveVersion = 1
	saltSize       = 32
	keyInfo        = "storj/backup/v1"
	// MaxManifest bounds a manifest in bytes.
	MaxManifest = 2 << 20
	maxFile     = 1 << 20 // of the identity, and of the settings
	maxVersion  = 64
)

var (
	// ErrArchive is returned for what is no archive, or is cut, altered, or sealed with another passphrase.
	ErrArchive = errors.New("no backup, or damaged, or the passphrase is wrong")
	// ErrArchiveVersion is returned for an archive of a later version of this program.
	ErrArchiveVersion = errors.New("backup was made by a later version")
	// ErrPassphrase is returned for a passphrase that anybody would try first.
	ErrPassphrase = fmt.Errorf("passphrase of a backup needs at least %d bytes", MinPassphrase)
)

// MinPassphrase is the length of the shortest passphrase of an archive in bytes.
const MinPassphrase = 8

// Manifest says what an archive is of.
type Manifest struct {
	Created   time.Time // of the snapshot
	Satellite netx.NodeID
	Version   string // of the program
	Identity  []byte // file; secret
	Settings  []byte // file; empty: none
}

// String hides the identity.
func (m *Manifest) String() string {
	return fmt.Sprintf("backup of satellite %s at %s", m.Satellite, m.Created.Format(time.RFC3339))
}

// Fields codes the manifest for wire.
func (m *Manifest) Fields(c *wire.Codec) {
	c.Time(1, &m.Created)
	c.Fixed(2, m.Satellite[:])
	c.String(3, &m.Version, maxVersion)
	c.Bytes(4, &m.Identity, maxFile)
	c.Bytes(5, &m.Settings, maxFile)
}

// Write writes an archive. dump writes a dump of package kv to what it is given.
//
// Errors: ErrPassphrase, those of w and dump: what was written is then no archive.
func Write(w io.Writer, passphrase []byte, m *Manifest, dump func(w io.Writer) error) error {
	if len(passphrase) < MinPassphrase {
		return ErrPassphrase
	}
	head := append([]byte(archiveMagic), archiveVersion)
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the process instead
	return writeArchive(w, append(head, salt...), passphrase, m, dump)
}

func writeArchive(w io.Writer, head, passphrase []byte, m *Manifest, dump func(w io.Writer) error) error {
	c, err := archiveCipher(passphrase, head[len(head)-saltSize:])
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	s := &sealWriter{out: w, sealer: cipher.NewSealer(c)}
	raw := wire.Marshal(m)
	if len(raw) > MaxManifest {
		return fmt.Errorf("write backup: manifest of %d bytes", len(raw))
	}
	_, err = s.Write(append(binary.AppendUvarint(nil, uint64(len(raw))), raw...))
	if err == nil {
		err = dump(s)
	}
	if err == nil {
		_, err = w.Write(s.sealer.Close(s.buffer[:0]))
	}
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

func archiveCipher(passphrase, salt []byte) (*cipher.Cipher, error) {
	root, err := keys.RootKey(passphrase, salt)
	if err != nil {
		return nil, err
	}
	raw, err := hkdf.Key(sha256.New, root[:], nil, keyInfo, ecenc.KeySize)
	if err != nil {
		return nil, err
	}
	return cipher.New(ecenc.Key(raw))
}

// sealWriter seals what is written to it.
type sealWriter struct {
	out    io.Writer
	sealer *cipher.Sealer
	buffer []byte
}

// Write seals the blocks that p completes.
func (s *sealWriter) Write(p []byte) (int, error) {
	s.buffer = s.sealer.Write(s.buffer[:0], p)
	if len(s.buffer) == 0 {
		return len(p), nil
	}
	if _, err := s.out.Write(s.buffer); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Archive is an archive that is being read. It is used by one goroutine.
type Archive struct {
	Manifest Manifest
	in       *bufio.Reader // of the whole: sealed blocks
	cipher   *cipher.Cipher
	index    uint64
	block    []byte // opened, not yet read
	sealed   []byte
	ended    bool
}

// Open reads the start of an archive: its manifest. What follows is read by Read, to the dump's end and io.EOF, which
// comes only from a whole archive.
//
// Errors: ErrArchive, ErrArchiveVersion, those of r.
func Open(r io.Reader, passphrase []byte) (*Archive, error) {
	head := make([]byte, len(archiveMagic)+1+saltSize)
	in := bufio.NewReaderSize(r, 2*ecenc.CipherBlockSize)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	if !bytes.HasPrefix(head, []byte(archiveMagic)) {
		return nil, ErrArchive
	}
	if head[len(archiveMagic)] != archiveVersion {
		return nil, ErrArchiveVersion
	}
	c, err := archiveCipher(passphrase, head[len(archiveMagic)+1:])
	if err != nil {
		return nil, err
	}
	a := newArchive(in, c)
	if err := a.readManifest(); err != nil {
		return nil, err
	}
	return a, nil
}

func newArchive(r io.Reader, c *cipher.Cipher) *Archive {
	in, ok := r.(*bufio.Reader)
	if !ok {
		in = bufio.NewReader(r)
	}
	return &Archive{in: in, cipher: c, sealed: make([]byte, ecenc.CipherBlockSize)}
}

func (a *Archive) readManifest() error {
	size, err := binary.ReadUvarint(a)
	if err != nil {
		return whole(err)
	}
	if size > MaxManifest {
		return ErrArchive
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(a, raw); err != nil {
		return whole(err)
	}
	if err := wire.Unmarshal(raw, &a.Manifest); err != nil {
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return nil
}

// whole turns an end in the middle into ErrArchive.
func whole(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrArchive
	}
	return err
}

// Read reads the dump. Errors: io.EOF at the end of a whole archive, ErrArchive, those of the reader below.
func (a *Archive) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(a.block) == 0 {
		if err := a.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.block)
	a.block = a.block[n:]
	return n, nil
}

// ReadByte reads one byte, so that a dump is not read beyond its end.
func (a *Archive) ReadByte() (byte, error) {
	var one [1]byte
	_, err := a.Read(one[:])
	return one[0], err
}

// next opens a block. The last one of the file must be the last one that was sealed.
func (a *Archive) next() error {
	if a.ended {
		return io.EOF
	}
	n, err := io.ReadFull(a.in, a.sealed)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	_, err = a.in.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	a.ended = err != nil
	a.block, err = a.cipher.OpenBlock(a.sealed[:0], a.sealed[:n], a.index, a.ended)
	a.index++
	if err != nil {
		a.block, a.ended = nil, false
		return fmt.Errorf("%w: at block %d", ErrArchive, a.index-1)
	}
	return nil
}

// finish says whether the archive ends where its dump did.
func (a *Archive) finish() error {
	if _, err := a.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: after the dump", ErrArchive)
	}
	return nil
}

// Verify reads an archive to its end without keeping it, and returns its manifest, how many rows there are and how many
// bytes of them. Errors: as Open's, kv.ErrCorrupt.
func Verify(ctx context.Context, r io.Reader, passphrase []byte) (m *Manifest, rows int64, err error) {
	a, err := Open(r, passphrase)
	if err != nil {
		return nil, 0, err
	}
	sink := newSink()
	defer func() { _ = sink.Close() }() // it holds nothing
	if rows, err = load(ctx, sink, a); err != nil {
		return nil, 0, err
	}
	return &a.Manifest, rows, nil
}
