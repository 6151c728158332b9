package kv

import (
	"bytes"
	"encoding/binary"
)

// Key parts are appended one after another; each keeps the order of its values, and no part but the last one is a
// prefix of another value of the same part, so keys sort part by part.
//
//	part        encoding
//	uint32/64   big endian
//	array       its bytes
//	text        its bytes with 00 written as 00 ff, then 00 01

const (
	textEscape = 0xff // follows a zero byte of the text
	textEnd    = 0x01 // follows the zero byte that ends it
)

// AppendUint64 appends v as a key part.
func AppendUint64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// AppendUint32 appends v as a key part.
func AppendUint32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

// AppendText appends a string of any bytes as a key part.
func AppendText[T ~string | ~[]byte](dst []byte, text T) []byte {
	return append(AppendTextPrefix(dst, text), 0, textEnd)
}

// AppendTextPrefix appends text without its end: what all keys begin with whose text begins with this one.
func AppendTextPrefix[T ~string | ~[]byte](dst []byte, text T) []byte {
	for i := range len(text) {
		dst = append(dst, text[i])
		if text[i] == 0 {
			dst = append(dst, textEscape)
		}
	}
	return dst
}

// CutText takes a text part off the front of key. The text is a copy only where it held zero bytes.
func CutText(key []byte) (text, rest []byte, ok bool) {
	at := bytes.IndexByte(key, 0)
	if at >= 0 && at+1 < len(key) && key[at+1] == textEnd {
		return key[:at:at], key[at+2:], true
	}
	for rest = key; ; rest = rest[at+2:] {
		at = bytes.IndexByte(rest, 0)
		if at < 0 || at+1 == len(rest) {
			return nil, nil, false
		}
		text = append(text, rest[:at]...)
		switch rest[at+1] {
		case textEnd:
			return text, rest[at+2:], true
		case textEscape:
			text = append(text, 0)
		default:
			return nil, nil, false
		}
	}
}

// CutUint64 takes an integer part off the front of key.
func CutUint64(key []byte) (v uint64, rest []byte, ok bool) {
	if len(key) < 8 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(key), key[8:], true
}

// CutFixed takes an array off the front of key into dst.
func CutFixed(key, dst []byte) (rest []byte, ok bool) {
	if len(key) < len(dst) {
		return nil, false
	}
	copy(dst, key)
	return key[len(dst):], true
}
