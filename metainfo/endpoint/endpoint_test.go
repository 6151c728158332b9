package endpoint_test

import (
	"testing"

	"storj/metainfo"
	"storj/metainfo/metatest"
)

func TestService(t *testing.T) {
	t.Parallel()
	metatest.Run(t, func(_ *testing.T, w *metatest.World) metainfo.Service { return w.Endpoint })
}
