package uplink

import (
	"sync"
	"time"

	"storj/ecenc"
	"storj/metainfo"
)

// openUpload is what is needed to go on with an upload in parts.
type openUpload struct {
	token   []byte
	content ecenc.Key
	seal    *seal
	pending *metainfo.PendingUpload // nil when this process began it
	made    time.Time               // when the token was given
}

type uploadKey struct {
	bucket, key string
	stream      metainfo.StreamID
}

// uploadCache remembers uploads in parts, so that not every part asks for its own.
type uploadCache struct {
	mu    sync.Mutex // guards known
	known map[uploadKey]*openUpload
}

const (
	// maxCachedUploads bounds the cache: an entry has some hundred bytes.
	maxCachedUploads = 1000
	// uploadTTL is well below metainfo.MaxUploadAge.
	uploadTTL = time.Hour
)

func (c *uploadCache) get(key uploadKey) *openUpload {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.known[key]
	if u == nil || time.Since(u.made) > uploadTTL {
		return nil
	}
	return u
}

func (c *uploadCache) put(key uploadKey, u *openUpload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCachedUploads {
		c.known = make(map[uploadKey]*openUpload)
	}
	c.known[key] = u
}

func (c *uploadCache) forget(key uploadKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key)
}
