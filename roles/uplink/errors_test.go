package uplink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"storj/ecenc/cipher"
	"storj/ecenc/keys"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
	"storj/pieces/segmentio"
)

// TestEveryErrorHasAKind walks the errors of the wings: each becomes one of this package, and can still be matched.
func TestEveryErrorHasAKind(t *testing.T) {
	t.Parallel()
	for _, list := range [][]*netx.Error{netx.Errors(), pieces.Errors(), metainfo.Errors()} {
		for _, e := range list {
			err := wrap("test", fmt.Errorf("inside: %w", e))
			if !slices.ContainsFunc(ownErrors(), func(own error) bool { return errors.Is(err, own) }) {
				t.Errorf("%v has no kind", e)
			}
			if !errors.Is(err, e) {
				t.Errorf("%v is lost", e)
			}
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want error
	}{
		{metainfo.ErrObjectNotFound, ErrObjectNotFound},
		{metainfo.ErrBucketNotFound, ErrBucketNotFound},
		{metainfo.ErrDenied, ErrPermissionDenied},
		{metainfo.ErrAPIKey, ErrAPIKeyInvalid},
		{metainfo.ErrRateLimit, ErrTooManyRequests},
		{metainfo.ErrNotEnoughNodes, ErrUnavailable},
		{metainfo.ErrTooManyBuckets, ErrLimitExceeded},
		{netx.ErrUnreachable, ErrUnavailable},
		{netx.ErrTimeout, ErrUnavailable},
		{netx.ErrUnknownMethod, ErrInternal},
		{&segmentio.TooFewError{Had: 1, Needed: 2}, ErrUnavailable},
		{cipher.ErrDecrypt, ErrCorrupt},
		{keys.ErrNoKey, ErrPermissionDenied},
		{keys.ErrKeyTooLong, ErrObjectKeyInvalid},
		{context.Canceled, context.Canceled},
		{context.DeadlineExceeded, context.DeadlineExceeded},
		{errors.New("anything"), ErrInternal},
		{fmt.Errorf("%w: closer", ErrCorrupt), ErrCorrupt},
		{netx.FromWire(netx.NotFound, 9999), ErrObjectNotFound},
	}
	for _, test := range tests {
		if got := kindOf(test.err); got != test.want {
			t.Errorf("%v: got %v, want %v", test.err, got, test.want)
		}
	}
}

func TestWrapOnce(t *testing.T) {
	t.Parallel()
	if wrap("test", nil) != nil {
		t.Error("no error became one")
	}
	err := wrap("stat", metainfo.ErrObjectNotFound)
	if again := wrap("copy", err); again != err {
		t.Errorf("wrapped twice: %v", again)
	}
	if got := err.Error(); got != "stat: object not found" {
		t.Errorf("got %q", got)
	}
	if got := wrap("stat", netx.ErrUnreachable).Error(); got != "stat: unavailable: peer unreachable" {
		t.Errorf("got %q", got)
	}
}

func TestOwnErrorsAreDistinct(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, err := range ownErrors() {
		if seen[err.Error()] || strings.ToLower(err.Error()[:1]) != err.Error()[:1] {
			t.Errorf("%q is there twice, or begins in upper case", err)
		}
		seen[err.Error()] = true
	}
}

// TestErrorsAreForPeople holds that no number of a call stands in an error, and nothing stands there twice.
func TestErrorsAreForPeople(t *testing.T) {
	t.Parallel()
	remote := func(err error) error { return fmt.Errorf("call method 221 of 12abc: %w", err) }
	tests := []struct {
		err  error
		want string
	}{
		{remote(metainfo.ErrObjectNotFound), "test: object not found"},
		{remote(metainfo.ErrDeleteMarker), "test: object not found: it was deleted, older versions remain"},
		{remote(metainfo.ErrDenied), "test: permission denied: this access does not permit that"},
		{remote(metainfo.ErrStorageLimit), "test: limit exceeded: project has stored as much as it may"},
		{remote(netx.FromWire(netx.Internal, 0)), "test: internal error: peer answered: internal"},
		{remote(fmt.Errorf("connect to 12abc@host:7777: %w", netx.ErrUnreachable)), "test: unavailable: connect to 12abc@host:7777: peer unreachable"},
		{fmt.Errorf("segment 0/1: %w", remote(netx.ErrTimeout)), "test: unavailable: segment 0/1: timed out"},
		{ErrPartInvalid, "test: part invalid"},
		{fmt.Errorf("%w: number 0", ErrPartInvalid), "test: part invalid: number 0"},
		{fmt.Errorf("reading: %w", ErrCorrupt), "test: object is damaged or was tampered with: reading"},
	}
	for _, test := range tests {
		if got := wrap("test", test.err).Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
