// Package macaroon is API keys: capabilities that anyone can narrow and only the satellite can check.
//
//	key, err := macaroon.NewAPIKey(secret)                                   // satellite: keeps head -> secret
//	text := key.Serialize()
//	narrow, err := key.Restrict(macaroon.Caveat{DisallowWrites: true})       // anyone, offline
//	err = narrow.Check(secret, macaroon.Action{Op: macaroon.Read, ...}, nil) // satellite
//
// # FORMAT: API key
//
// Text is base58check with version byte 1 of a wire message: head (1, Fixed 32), caveats (2, list of byte strings, each
// an encoded Caveat, perhaps empty), tail (3, Fixed 32). At most MaxSize bytes and MaxCaveats caveats.
//
//	tail[0]   = HMAC-SHA256(secret, head)
//	tail[i+1] = HMAC-SHA256(tail[i], caveat[i])
//
// and the key carries the last one. So a caveat can be added by who holds the key and removed by nobody; and each
// tail names a key and, by revoking it, all that were made from it.
//
// # FORMAT: Caveat
//
// A wire message with the fields in the order of the struct: the disallow flags are 1 to 13 (Bool), allowed paths 20
// (list of: bucket 1, encrypted prefix 2), not before 21 (Time), not after 22 (Time), longest life of objects 23 (Int,
// nanoseconds), nonce 24 (Bytes). A field that the checker does not know makes the whole key fail: the satellite
// decodes, encodes again and compares, so that the newest restriction is never ignored by an old satellite.
//
// # Concurrency
//
// APIKey is immutable and may be used concurrently.
//
// # Why
//
// Macaroons (Birgisson et al., NDSS 2014) need no signature and no call to the satellite to share a part of what one
// has. The chain is one HMAC a caveat: checking costs a microsecond.
package macaroon
