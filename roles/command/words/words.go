package words

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
)

const (
	// Count is how many words a phrase has.
	Count = 12

	listSize     = 1024
	bitsPerWord  = 10
	secretSize   = 14 // bytes of randomness
	checkSize    = 1  // bytes
	phraseSize   = secretSize + checkSize
	distinctPart = 4 // letters that tell a word from all others
)

var _ [0]struct{} = [phraseSize*8 - Count*bitsPerWord]struct{}{}

// Kind says what a text that was typed is.
type Kind int

// The kinds of texts.
const (
	Other    Kind = iota // no phrase of this package: a passphrase of somebody's own
	Valid                // a phrase as New makes it
	Mistyped             // twelve words, of which most are of the list: one of them is wrong, or two changed places
)

// New makes a phrase.
func New() string {
	var secret [secretSize]byte
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand ends the process instead
	return encode(secret)
}

func encode(secret [secretSize]byte) string {
	list := strings.Fields(list)
	raw := append(secret[:], check(secret[:]))
	phrase := make([]string, Count)
	for i := range phrase {
		phrase[i] = list[bitsAt(raw, i*bitsPerWord)]
	}
	return strings.Join(phrase, " ")
}

func check(secret []byte) byte {
	sum := sha256.Sum256(secret)
	return sum[0]
}

// bitsAt returns the ten bits that begin at a bit.
func bitsAt(raw []byte, bit int) int {
	value := 0
	for i := bit; i < bit+bitsPerWord; i++ {
		value = value<<1 | int(raw[i/8]>>(7-i%8)&1)
	}
	return value
}

// Read returns what a person typed as the phrase that was meant: words in small letters, also cut to their first four,
// with whatever between them. Of another kind than Valid, the text is returned as it is.
func Read(text string) (phrase string, kind Kind) {
	typed := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' })
	if len(typed) != Count {
		return text, Other
	}
	list := strings.Fields(list)
	var raw [phraseSize]byte
	known := 0
	for i, word := range typed {
		place := find(list, word)
		if place < 0 {
			continue
		}
		known++
		typed[i] = list[place]
		for b := range bitsPerWord {
			bit := i*bitsPerWord + b
			raw[bit/8] |= byte(place>>(bitsPerWord-1-b)&1) << (7 - bit%8)
		}
	}
	switch {
	case known < Count*2/3:
		return text, Other
	case known < Count || check(raw[:secretSize]) != raw[secretSize]:
		return text, Mistyped
	}
	return strings.Join(typed, " "), Valid
}

// find returns the place of a word, or of the one that begins so; -1 for none.
func find(list []string, word string) int {
	place, found := slices.BinarySearch(list, word)
	if !found && len(word) == distinctPart && place < len(list) && strings.HasPrefix(list[place], word) {
		found = true
	}
	if !found {
		return -1
	}
	return place
}
