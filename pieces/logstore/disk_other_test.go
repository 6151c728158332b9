//go:build !linux

package logstore_test

import "testing"

func smallDisk(t *testing.T, bytes int64) string {
	t.Helper()
	t.Skip("no small disk on this system")
	return ""
}
