package pieces

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"storj/netx"
)

// goldenToken must stay readable for as long as tokens of version 3 are around.
const goldenToken = "36xFYrtYBEXMMiqRD5CnMY6DyUr6XmEYjq3Wxee7QSBoyqd6pigsHCKAWu3KoyYWbFwgpCbEYzQi1xBYwfaC24364iR3Ah34wux58vguvtsByp1AD4jVNQJQJCuY"

func testToken() JoinToken {
	t := JoinToken{
		Satellite: netx.NodeURL{Address: "satellite.example:7777"},
		Expires:   time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	for i := range t.Satellite.ID {
		t.Satellite.ID[i] = byte(i)
	}
	copy(t.Secret[:], "0123456789abcdef")
	return t
}

func TestJoinTokenGolden(t *testing.T) {
	t.Parallel()
	want := testToken()
	if got := want.Text(); got != goldenToken {
		t.Errorf("text is %s, want %s", got, goldenToken)
	}
	if got, err := ParseJoinToken(goldenToken); err != nil || got != want {
		t.Errorf("golden token is %+v, %v", got.Satellite, err)
	}
}

func TestParseJoinTokenErrors(t *testing.T) {
	t.Parallel()
	noAddress, noID := testToken(), testToken()
	noAddress.Satellite.Address = "nowhere"
	noID.Satellite.ID = netx.NodeID{}
	for name, text := range map[string]string{
		"empty":      "",
		"short":      goldenToken[:len(goldenToken)-1],
		"mistyped":   strings.Replace(goldenToken, goldenToken[20:21], "z", 1),
		"node ID":    testToken().Satellite.ID.String(),
		"long":       strings.Repeat(goldenToken, 10),
		"no address": noAddress.Text(),
		"no ID":      noID.Text(),
	} {
		if _, err := ParseJoinToken(text); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJoinTokenPrintsRedacted(t *testing.T) {
	t.Parallel()
	if text := fmt.Sprintf("%v %+v %#v %s", testToken(), testToken(), testToken(), testToken()); text != "REDACTED REDACTED REDACTED REDACTED" {
		t.Error(text)
	}
}

func FuzzParseJoinToken(f *testing.F) {
	f.Add(goldenToken)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseJoinToken(text)
		if err != nil {
			return
		}
		if again, err := ParseJoinToken(token.Text()); err != nil || again != token {
			t.Fatalf("token does not survive its text: %v", err)
		}
	})
}
