package transfer

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/blake3"

	"storj/roles/uplink"
)

// Names in the custom metadata of an object; FORMAT in the package comment.
const (
	ModifiedName = "mtime"
	HashName     = "blake3"
)

// HashSize is the size of a checksum in bytes.
const HashSize = 32

// IsFileMetadata says whether a name in custom metadata is one of those that a transfer keeps for itself.
func IsFileMetadata(name string) bool { return name == ModifiedName || name == HashName }

// Modified returns when the content of the file that became an object was last changed, if that is known.
func Modified(metadata uplink.CustomMetadata) (time.Time, bool) {
	text, ok := metadata[ModifiedName]
	if !ok {
		return time.Time{}, false
	}
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds < 0 || seconds > math.MaxInt64/int64(time.Second)-1 || len(fraction) > 9 {
		return time.Time{}, false
	}
	nanos := int64(0)
	if fraction != "" {
		padded := fraction + strings.Repeat("0", 9-len(fraction))
		value, err := strconv.ParseUint(padded, 10, 32)
		if err != nil {
			return time.Time{}, false
		}
		nanos = int64(value)
	}
	return time.Unix(seconds, nanos).UTC(), true
}

// Hash returns the checksum of an object's content, if it is known.
func Hash(metadata uplink.CustomMetadata) (hash [HashSize]byte, ok bool) {
	raw, err := hex.DecodeString(metadata[HashName])
	if err != nil || len(raw) != HashSize {
		return hash, false
	}
	return [HashSize]byte(raw), true
}

// withFile returns metadata with what is known of the file; without it, if the whole would be too much to store. Zero
// values are not known.
func withFile(metadata uplink.CustomMetadata, modified time.Time, hash []byte) uplink.CustomMetadata {
	merged := make(uplink.CustomMetadata, len(metadata)+2)
	maps.Copy(merged, metadata)
	if !modified.IsZero() && modified.Unix() >= 0 {
		merged[ModifiedName] = fmt.Sprintf("%d.%09d", modified.Unix(), modified.Nanosecond())
	}
	if len(hash) == HashSize {
		merged[HashName] = hex.EncodeToString(hash)
	}
	if merged.Verify() != nil && metadata.Verify() == nil {
		return metadata
	}
	return merged
}

// HashFile returns the checksum of a file, as Hash has it. Errors: those of the file system.
func HashFile(path string) (hash [HashSize]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return hash, err
	}
	defer f.Close() // read only
	h := blake3.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, f, make([]byte, 256<<10)); err != nil {
		return hash, err
	}
	return [HashSize]byte(h.Sum(nil)), nil
}
