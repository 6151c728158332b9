package ecenc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"storj/ecenc"
	"storj/ecenc/wire"
)

func good() ecenc.Redundancy {
	return ecenc.Redundancy{
		Code: ecenc.CodeVandermonde, Required: 29, Repair: 35, Optimal: 80, Total: 110, ShareSize: ecenc.MaxShareSize,
	}
}

func TestRedundancyValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*ecenc.Redundancy)
		want   error
	}{
		{"the default", func(*ecenc.Redundancy) {}, nil},
		{"no share size yet", func(r *ecenc.Redundancy) { r.ShareSize = 0 }, nil},
		{"all equal", func(r *ecenc.Redundancy) { r.Required, r.Repair, r.Optimal, r.Total = 1, 1, 1, 1 }, nil},
		{"most pieces", func(r *ecenc.Redundancy) { r.Total = ecenc.MaxTotal }, nil},
		{"too many pieces", func(r *ecenc.Redundancy) { r.Total = ecenc.MaxTotal + 1 }, ecenc.ErrRedundancy},
		{"none required", func(r *ecenc.Redundancy) { r.Required = 0 }, ecenc.ErrRedundancy},
		{"repair under required", func(r *ecenc.Redundancy) { r.Repair = 28 }, ecenc.ErrRedundancy},
		{"optimal under repair", func(r *ecenc.Redundancy) { r.Optimal = 34 }, ecenc.ErrRedundancy},
		{"total under optimal", func(r *ecenc.Redundancy) { r.Total = 79 }, ecenc.ErrRedundancy},
		{"share too large", func(r *ecenc.Redundancy) { r.ShareSize += ecenc.ShareAlign }, ecenc.ErrRedundancy},
		{"share not aligned", func(r *ecenc.Redundancy) { r.ShareSize = 100 }, ecenc.ErrRedundancy},
		{"negative share", func(r *ecenc.Redundancy) { r.ShareSize = -64 }, ecenc.ErrRedundancy},
		{"no code", func(r *ecenc.Redundancy) { r.Code = 0 }, ecenc.ErrRedundancy},
		{"unknown code", func(r *ecenc.Redundancy) { r.Code = 2 }, ecenc.ErrRedundancy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := good()
			tt.change(&r)
			if err := r.Validate(); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			var read ecenc.Redundancy
			err := wire.Unmarshal(wire.Marshal(&r), &read)
			if tt.want == nil && (err != nil || read != r) {
				t.Errorf("%+v became %+v, %v", r, read, err)
			}
			if tt.want != nil && tt.name != "share not aligned" && !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("read from the wire: %v", err)
			}
		})
	}
}

func TestShareSize(t *testing.T) {
	t.Parallel()
	const stripe = 29 * ecenc.MaxShareSize
	for _, tt := range []struct {
		size  int64
		share int
		piece int64
	}{
		{1, 64, 64}, {16, 64, 64}, {29 * 64, 64, 64}, {29*64 + 1, 128, 128},
		{stripe - 1, ecenc.MaxShareSize, ecenc.MaxShareSize}, {stripe, ecenc.MaxShareSize, ecenc.MaxShareSize},
		{stripe + 1, ecenc.MaxShareSize, 2 * ecenc.MaxShareSize},
		{64 << 20, ecenc.MaxShareSize, 71 * ecenc.MaxShareSize},
	} {
		r := good().WithShareSize(tt.size)
		if err := r.Validate(); err != nil || r.ShareSize != tt.share || r.PieceSize(tt.size) != tt.piece {
			t.Errorf("%d bytes: share %d, piece %d, %v", tt.size, r.ShareSize, r.PieceSize(tt.size), err)
		}
	}
	if r := good().WithShareSize(0); r.ShareSize != ecenc.ShareAlign {
		t.Errorf("nothing: share %d", r.ShareSize)
	}
}

func TestKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	key := ecenc.Key{1, 2, 3}
	inJSON, err := json.Marshal(struct{ K *ecenc.Key }{&key})
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprint(key, &key, []ecenc.Key{key}) + fmt.Sprintf("%+v %#v %s %x", key, key, key, key) + string(inJSON)
	if strings.Contains(printed, "1, 2") || strings.Contains(printed, "0x1") || strings.Contains(printed, "010203") {
		t.Errorf("printed as %s", printed)
	}
	if key.IsZero() || !(ecenc.Key{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

func FuzzRedundancy(f *testing.F) {
	r := good()
	f.Add(wire.Marshal(&r))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again ecenc.Redundancy
		if wire.Unmarshal(b, &r) != nil {
			return
		}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		if err := wire.Unmarshal(wire.Marshal(&r), &again); err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
	})
}
