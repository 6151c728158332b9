package keys

// First byte of an encrypted component.
const (
	markEmpty = 0x01
	markBytes = 0x02
)

// appendEscaped appends data so that 0x00, "/" and 0xff do not occur, keeping the order of byte strings.
func appendEscaped(dst, data []byte) []byte {
	for _, b := range data {
		switch b {
		case 0x00, 0x2e, 0xfe:
			dst = append(dst, max(b, 0x01), 0x01)
		case 0x01, 0x2f, 0xff:
			dst = append(dst, max(b-1, 0x01), 0x02)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

// appendUnescaped is the inverse. It says false for what appendEscaped never makes.
func appendUnescaped(dst, data []byte) ([]byte, bool) {
	for i := 0; i < len(data); i++ {
		b := data[i]
		switch b {
		case 0x00, 0x2f, 0xff:
			return nil, false
		case 0x01, 0x2e, 0xfe:
			i++
			if i == len(data) || data[i] != 0x01 && data[i] != 0x02 {
				return nil, false
			}
			b += data[i] - 1
			if data[i-1] == 0x01 {
				b-- // 00 and 01 share the lead 01, which is not itself 00
			}
		}
		dst = append(dst, b)
	}
	return dst, true
}
