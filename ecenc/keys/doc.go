// Package keys is the key tree from a passphrase, the encryption of object keys, and the part of it that an access
// grant carries.
//
//	root, err := keys.RootKey(passphrase, projectSalt)
//	access := keys.NewAccess(root)
//	encrypted, err := access.EncryptPath("photos", "2026/cat.jpg")
//	pathKey, err := access.PathKey("photos", "2026/cat.jpg")
//	wrapped, err := cipher.SealBox(keys.ContentWrapKey(pathKey), "...", contentKey[:])
//
//	shared, err := access.Restrict("photos", "2026/")      // opens what lies under 2026/ and nothing else
//	lister, err := keys.NewLister(shared, "photos", "2026/ca")
//	name, err := lister.Decrypt(encryptedName)
//
// # The tree
//
// The root key is Argon2id of the passphrase. The key of a node in the tree gives those of its children:
//
//	child = HMAC-SHA512(parent, "path:" + component)[:32]
//
// The bucket is the first component; the object key, cut at each "/", gives the rest. The key of "photos", "2026"
// opens everything under it; no key can be computed from a child's. One consequence: the folder "2026/" and an object
// called "2026" share a key, so that a prefix key opens that object's content too; the API key of a grant keeps it
// apart, and so does Access.
//
// # FORMAT: encrypted object key
//
// Each component is encrypted under the key P of its parent, deterministically, so that the satellite can find it:
//
//	name key  = HMAC-SHA512(P, "name-key")[:32]
//	nonce     = HMAC-SHA512(P, "name-nonce:" + component)[:12]
//	component = nonce | AES-256-GCM(name key, nonce, component)        28 bytes longer
//
// and then written so that "/", 0x00 and 0xff never occur; components are joined by "/":
//
//	empty component          01
//	any other                02, then the bytes, with these replaced:
//	    00 -> 01 01     01 -> 01 02     2e -> 2e 01     2f -> 2e 02     fe -> fe 01     ff -> fe 02
//
// The replacement keeps the order of byte strings. Object keys are any bytes; "a//b", "/a" and "a/" come back exactly.
// An encrypted key is at most MaxEncryptedPath bytes. A key decrypts from one encoding only: the nonce is computed
// again and compared.
//
// What the satellite learns: the number of components, their lengths, and which are equal under the same parent.
//
// # FORMAT: Access
//
// A wire message, version 1: version (1, Uint), default key (2, Fixed 32), plain names (3, Bool), prefixes (4, list of:
// bucket 1, path 2, encrypted path 3, key 4).
//
// # Concurrency
//
// Access is safe for concurrent use while nobody changes its fields; Lister is for one goroutine.
//
// # Why
//
// A synthetic nonce makes the encryption deterministic without one fixed nonce for many names. Argon2id parameters are
// fixed, not stored: every device must come to the same key from the passphrase and the salt alone. HMAC-SHA512 halves
// are keys of 256 bits from one hash call.
package keys
