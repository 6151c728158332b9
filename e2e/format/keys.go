package format

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"strings"
)

var (
	errNoKey = errors.New("the grant has no key for this object")
	errOpen  = errors.New("decryption failed")
)

// derive is HMAC-SHA512, cut to 32 bytes.
func derive(key []byte, text string) []byte {
	h := hmac.New(sha512.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)[:32]
}

// Child is a step down the key tree. Section 5.
func Child(key []byte, component string) []byte { return derive(key, "path:"+component) }

// gcm is AES-256-GCM.
func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func openGCM(key, nonce, sealed []byte) ([]byte, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nonce, sealed, nil)
	if err != nil {
		return nil, errOpen
	}
	return plain, nil
}

// OpenBox opens a box. Section 7.
func OpenBox(key []byte, purpose string, box []byte) ([]byte, error) {
	if len(box) < 28 {
		return nil, errOpen
	}
	boxKey, err := hkdf.Key(sha256.New, key, nil, "storj/box/v1/"+purpose, 32)
	if err != nil {
		return nil, err
	}
	return openGCM(boxKey, box[:12], box[12:])
}

// Unescape is the inverse of the escaping of components. Section 6.
func Unescape(data []byte) ([]byte, error) {
	var out []byte
	for i := 0; i < len(data); i++ {
		b := data[i]
		switch b {
		case 0x00, 0x2f, 0xff:
			return nil, errors.New("byte that never occurs in an encrypted key")
		case 0x01, 0x2e, 0xfe:
			i++
			if i == len(data) || data[i] != 1 && data[i] != 2 {
				return nil, errors.New("broken escape")
			}
			out = append(out, map[[2]byte]byte{
				{0x01, 1}: 0x00, {0x01, 2}: 0x01, {0x2e, 1}: 0x2e, {0x2e, 2}: 0x2f, {0xfe, 1}: 0xfe, {0xfe, 2}: 0xff,
			}[[2]byte{b, data[i]}])
		default:
			out = append(out, b)
		}
	}
	return out, nil
}

// decryptComponent opens one component of an encrypted key under the key of its folder. Section 6.
func decryptComponent(folder, component []byte) (string, error) {
	if bytes.Equal(component, []byte{1}) {
		return "", nil
	}
	if len(component) == 0 || component[0] != 2 {
		return "", errOpen
	}
	sealed, err := Unescape(component[1:])
	if err != nil {
		return "", err
	}
	if len(sealed) <= 28 {
		return "", errOpen
	}
	name, err := openGCM(derive(folder, "name-key"), sealed[:12], sealed[12:])
	if err != nil {
		return "", err
	}
	if !bytes.Equal(derive(folder, "name-nonce:"+string(name))[:12], sealed[:12]) {
		return "", errOpen
	}
	return string(name), nil
}

// locate returns the plain key of an object and its key in the tree. Sections 5 and 6.
func (g *Grant) locate(bucket string, encrypted []byte, plainNames bool) (path string, key []byte, err error) {
	key, path, rest, ended, err := g.begin(bucket, encrypted)
	if err != nil || ended {
		return path, key, err
	}
	for {
		component, after, more := bytes.Cut(rest, []byte("/"))
		name := string(component)
		if !plainNames {
			if name, err = decryptComponent(key, component); err != nil {
				return "", nil, err
			}
		}
		path += name
		key = Child(key, name)
		if !more {
			return path, key, nil
		}
		path += "/"
		rest = after
	}
}

// begin finds the deepest key of the grant on the way to an object: its key, the plain path down to it and what is left of
// the encrypted one; or the object itself.
func (g *Grant) begin(bucket string, encrypted []byte) (key []byte, path string, rest []byte, ended bool, err error) {
	if g.Root != nil {
		key, rest = Child(g.Root, bucket), encrypted
	}
	best := -1
	for _, p := range g.Prefixes {
		single := p.Path != "" && !strings.HasSuffix(p.Path, "/")
		if p.Bucket != bucket {
			continue
		}
		if single && bytes.Equal(p.EncryptedPath, encrypted) {
			return p.Key, p.Path, nil, true, nil
		}
		folder, plain := p.EncryptedPath, p.Path
		if single {
			folder, plain = append(bytes.Clone(folder), '/'), plain+"/"
		}
		if after, found := bytes.CutPrefix(encrypted, folder); found && len(folder) > best {
			best, key, path, rest = len(folder), p.Key, plain, after
		}
	}
	if key == nil {
		return nil, "", nil, false, errNoKey
	}
	return key, path, rest, false, nil
}
