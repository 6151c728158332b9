package screen

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quietZone is the light border of a QR code in modules. Source: ISO/IEC 18004, 9.1, asks for 4; readers are content with
// 2, and terminals are narrow.
const quietZone = 2

// QR draws a text as a QR code of half blocks, two modules a character, and says how many columns it is wide. The light
// modules are drawn, so without colours it is right on a dark background.
//
// Errors: a text of more than some 2,900 bytes.
func QR(text string, style Style) (drawing string, width int, err error) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return "", 0, fmt.Errorf("draw QR code of %d bytes: %w", len(text), err)
	}
	width = code.Size + 2*quietZone
	light := func(x, y int) bool { return !code.Black(x-quietZone, y-quietZone) }
	var out strings.Builder
	for y := 0; y < width; y += 2 {
		var line strings.Builder
		for x := range width {
			switch upper, lower := light(x, y), y+1 < width && light(x, y+1); {
			case upper && lower:
				line.WriteRune('█')
			case upper:
				line.WriteRune('▀')
			case lower:
				line.WriteRune('▄')
			default:
				line.WriteByte(' ')
			}
		}
		out.WriteString(style.paint("97;40", line.String()) + "\n")
	}
	return out.String(), width, nil
}
