package identity

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	pemType      = "PRIVATE KEY"
	maxFileBytes = 16 << 10 // a key of 48 bytes takes about 120 bytes of PEM; anything near the limit is another file
	othersMode   = 0o077
)

var (
	// ErrExists is returned by Save when there is a file already: an identity is never overwritten.
	ErrExists = errors.New("identity file exists already")
	// ErrExposed is returned by Load for a key that other users of the machine can read.
	ErrExposed = errors.New("identity file is readable by others")
	// ErrFormat is returned by Load for a file that holds no Ed25519 private key.
	ErrFormat = errors.New("not an identity file")
)

// Load reads the identity that Save wrote.
//
// Errors: fs.ErrNotExist, ErrExposed (with the command that mends it), ErrFormat.
func Load(path string) (*Identity, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	defer func() { _ = file.Close() }() // best effort: read only
	if err := checkMode(file); err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	key, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("load identity %s: %w", path, err)
	}
	return fromKey(key)
}

func checkMode(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&othersMode != 0 {
		return fmt.Errorf("%w: mode %#o; run: chmod 600 %s", ErrExposed, info.Mode().Perm(), file.Name())
	}
	return nil
}

func parse(raw []byte) (ed25519.PrivateKey, error) {
	if len(raw) > maxFileBytes {
		return nil, fmt.Errorf("%w: over %d bytes", ErrFormat, maxFileBytes)
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != pemType || len(rest) != 0 {
		return nil, fmt.Errorf("%w: no single PEM block of type %q", ErrFormat, pemType)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: the key does not parse", ErrFormat) // the reason could quote the key
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: the key is not Ed25519", ErrFormat)
	}
	return private, nil
}

// Save writes the identity to path, mode 0600, and returns when it is on disk. The folder must exist.
//
// Errors: ErrExists; an existing file is left as it is.
func (i *Identity) Save(path string) error {
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("save identity %s: %w", path, ErrExists)
	}
	temp, err := writeTemp(filepath.Dir(path), pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	if err := publish(temp, path); err != nil {
		_ = os.Remove(temp) // best effort: the error that counts is err
		return fmt.Errorf("save identity %s: %w", path, err)
	}
	return nil
}

// writeTemp writes and syncs a new file in dir; os.CreateTemp gives it mode 0600.
func writeTemp(dir string, raw []byte) (name string, err error) {
	file, err := os.CreateTemp(dir, ".identity-*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(raw)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		_ = os.Remove(file.Name()) // best effort: the error that counts is err
		return "", err
	}
	return file.Name(), nil
}

// publish gives the file its name. A hard link never replaces, even when two processes race; where the file system has
// no links, rename does after the check that Save made.
func publish(temp, path string) error {
	err := os.Link(temp, path)
	switch {
	case err == nil:
		_ = os.Remove(temp) // best effort: a second name of the same file, with the same mode
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	default:
		if err := os.Rename(temp, path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
