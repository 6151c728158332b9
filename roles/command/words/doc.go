// Package words makes passphrases of twelve words that a person can write down, read out and type again.
//
//	phrase := words.New()                     // "apple river ... stone"
//	phrase, kind := words.Read("Apple  river ... stone")
//
// # FORMAT: phrase
//
// Twelve words of the list of 1024 (list.go), one space between them, small letters: 120 bits, the first word has the
// highest ten. The first 112 bits are random; the last 8 are the first byte of SHA-256 over those 14 bytes. Example: 14
// zero bytes are "able able able able able able able able able able able face". The phrase as text, not the bits, is the
// passphrase.
//
// # Concurrency
//
// The functions are pure, but for the randomness of New.
//
// # Why
//
// 112 bits behind Argon2id are beyond anybody's guessing. The check is there since a mistyped passphrase is no error to
// the satellite, which does not know it: without a check all that is stored would seem to be gone. The list is our own:
// short words, told apart by their first four letters.
package words
