package screen

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rsc.io/qr"
)

// TestQR reads the drawing back, module by module.
func TestQR(t *testing.T) {
	t.Parallel()
	const text = "storj"
	drawing, width, err := QR(text, Style{})
	if err != nil {
		t.Fatal(err)
	}
	code, err := qr.Encode(text, qr.L)
	if err != nil || width != code.Size+2*quietZone {
		t.Fatalf("width %d, %v", width, err)
	}
	var light [][]bool
	for line := range strings.Lines(drawing) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) != width {
			t.Fatalf("a line of %d columns", utf8.RuneCountInString(line))
		}
		var upper, lower []bool
		for _, r := range line {
			upper = append(upper, r == '█' || r == '▀')
			lower = append(lower, r == '█' || r == '▄')
		}
		light = append(light, upper, lower)
	}
	for y := range width {
		for x := range width {
			if light[y][x] == code.Black(x-quietZone, y-quietZone) {
				t.Fatalf("module %d, %d is wrong", x, y)
			}
		}
	}
	if coloured, _, _ := QR(text, Style{Colour: true}); !strings.HasPrefix(coloured, "\x1b[97;40m") {
		t.Error("no colours")
	}
	if _, _, err := QR(strings.Repeat("x", 4000), Style{}); err == nil {
		t.Error("too long a text is drawn")
	}
}
