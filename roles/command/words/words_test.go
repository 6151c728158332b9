package words

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	t.Parallel()
	words := strings.Fields(list)
	if len(words) != listSize || !slices.IsSorted(words) {
		t.Fatalf("%d words", len(words))
	}
	seen := make(map[string]string)
	for _, word := range words {
		if len(word) < distinctPart || seen[word[:distinctPart]] != "" {
			t.Errorf("%s begins as %s", word, seen[word[:distinctPart]])
		}
		seen[word[:distinctPart]] = word
	}
	const want = "49ecb6a4362a0434edc8e0849dc4f37ef93e2a9bc1d680626c3e135bab9e4f6a"
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(words, " ")))); got != want {
		t.Errorf("the list changed: papers that people wrote are not read any more: %s", got)
	}
}

func TestExample(t *testing.T) {
	t.Parallel()
	if got, want := encode([secretSize]byte{}), strings.Repeat("able ", 11)+"face"; got != want {
		t.Errorf("%s", got)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 200 {
		phrase := New()
		if seen[phrase] || len(strings.Fields(phrase)) != Count {
			t.Fatalf("%q", phrase)
		}
		seen[phrase] = true
		if got, kind := Read(phrase); got != phrase || kind != Valid {
			t.Fatalf("%q is read as %q, %v", phrase, got, kind)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	phrase := New()
	words := strings.Fields(phrase)
	short := make([]string, Count)
	for i, word := range words {
		short[i] = word[:4]
	}
	for name, text := range map[string]string{
		"spaces": "  " + strings.Join(words, "   ") + "\n", "capitals": strings.ToUpper(phrase),
		"hyphens": strings.Join(words, "-"), "numbered": "1. " + strings.Join(words, " 2. "), "short": strings.Join(short, " "),
	} {
		if got, kind := Read(text); got != phrase || kind != Valid {
			t.Errorf("%s: %q, %v", name, got, kind)
		}
	}
	for name, text := range map[string]string{
		"own": "correct horse", "empty": "", "long": phrase + " able",
		"a sentence": "the quick brown dogs and that lazy fox went over the hills",
	} {
		if got, kind := Read(text); got != text || kind != Other {
			t.Errorf("%s: %q, %v", name, got, kind)
		}
	}
	words[3] = "xylo"
	if got, kind := Read(strings.Join(words, " ")); kind != Mistyped || got != strings.Join(words, " ") {
		t.Errorf("a word that is none: %v", kind)
	}
}

// TestMistyped: of single wrong words, the check finds all but one in 256 or so.
func TestMistyped(t *testing.T) {
	t.Parallel()
	all := strings.Fields(list)
	words := strings.Fields(encode([secretSize]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}))
	missed := 0
	for i := range all {
		changed := slices.Clone(words)
		if changed[i%Count] == all[i] {
			continue
		}
		changed[i%Count] = all[i]
		if _, kind := Read(strings.Join(changed, " ")); kind == Valid {
			missed++
		}
	}
	if missed > 20 {
		t.Errorf("%d of %d wrong words were not noticed", missed, len(all))
	}
}

func FuzzRead(f *testing.F) {
	f.Add("able able able able able able able able able able able face")
	f.Add("a b c")
	f.Fuzz(func(t *testing.T, text string) {
		phrase, kind := Read(text)
		if again, kindAgain := Read(phrase); kind == Valid && (again != phrase || kindAgain != Valid) {
			t.Fatalf("%q, then %q", phrase, again)
		}
	})
}
