// Package cipher encrypts the content of segments in authenticated blocks with random access, and small secrets in
// boxes.
//
//	c, err := cipher.New(cipher.SegmentKey(contentKey, salt, part, index))
//	sealed := c.SealSegment(nil, plain)
//	plain, err := c.OpenSegment(nil, sealed)
//
//	first, count, skip := cipher.Blocks(offset, length, plainSize)    // a range: which blocks
//	start, size := cipher.BlockRange(first, count, encryptedSize)     // where they lie
//	plain, err := c.OpenBlocks(nil, sealed[start:][:size], first, start+size == encryptedSize)
//	plain = plain[skip:][:length]
//
// Sealer makes the same bytes as SealSegment from a stream of chunks.
//
// # FORMAT: segment
//
// AES-256-GCM (NIST SP 800-38D). A segment is one or more blocks; each but the last is CipherBlockSize (32768) bytes:
// 32752 of ciphertext, then a tag of 16. The last is 16 to 32768 bytes. It is empty but for its tag only in an empty
// segment, so that even that is authenticated: EncryptedSize(0) is 16. There is no header. The nonce is never stored:
//
//	OFFSET  SIZE  FIELD of the nonce
//	0       3     zero
//	3       1     1 in the last block of the segment, else 0
//	4       8     block index, big endian, from 0
//
// So a block moved, a segment cut at a block's edge or one continued is found out. The key of a segment is
// HKDF-SHA256 (RFC 5869) of the content key with the segment's 16-byte salt and the info "storj/segment/v1" followed
// by part<<32|index, 8 bytes big endian. A salt is drawn for each attempt to upload a segment, so that no two
// plaintexts meet the same key and nonce.
//
// Example: the empty segment under the key 00 01 ... 1f is
//
//	19 7b 1d 24 ed 7a cc 26 78 85 9d f9 22 c3 b5 cb
//
// # FORMAT: box
//
//	OFFSET  SIZE  FIELD
//	0       12    random nonce
//	12      n     ciphertext
//	12+n    16    tag
//
// AES-256-GCM under HKDF-SHA256 of the key, no salt, with the info "storj/box/v1/" followed by the purpose. With a
// random nonce of 96 bits one key and purpose should seal less than 2^32 boxes (SP 800-38D, 8.3).
//
// # Concurrency
//
// Cipher may be used concurrently, Sealer may not.
//
// # Why
//
// The last-block flag in the nonce is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): it costs
// no byte. A counter is the safest nonce there is while the key is fresh, which the salt sees to. GCM runs at 4 GB/s
// a core with the AES instructions that every machine of the last ten years has.
package cipher
