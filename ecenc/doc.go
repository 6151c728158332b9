// Package ecenc is the pure math on bytes: erasure code, encryption, key tree, capabilities, encodings.
//
// Nothing at or below this package knows a clock, a network, a file or a goroutine. Its root holds the words that the
// rooms share: Key and Redundancy.
//
//	wire         messages to bytes and back
//	base58check  binary to text that people copy, with a checksum
//	erasure      stripes to shares and back
//	cipher       segment content in authenticated blocks, random access by block
//	keys         key tree from a passphrase, object keys, prefix keys
//	macaroon     API keys and their caveats
//	bao          proof that bytes are part of a content whose hash is known
package ecenc
