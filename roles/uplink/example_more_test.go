package uplink_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"strings"
	"sync"
	"time"

	"storj/roles/uplink"
)

// These examples run, on a network in memory that OpenExample makes in place of uplink.Open.

func ExampleProject_ListVersions() {
	ctx := context.Background()
	project, end := uplink.OpenExample()
	defer end()
	if _, err := project.CreateBucket(ctx, "notes", &uplink.BucketOptions{Versioning: true}); err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{"first", "second thoughts"} {
		if _, err := project.Put(ctx, "notes", "today.txt", strings.NewReader(text), nil); err != nil {
			log.Fatal(err)
		}
	}
	if err := project.Delete(ctx, "notes", "today.txt"); err != nil {
		log.Fatal(err)
	}

	var oldest string
	versions := project.ListVersions(ctx, "notes", &uplink.ListVersionsOptions{Key: "today.txt"})
	for versions.Next() {
		v := versions.Item()
		fmt.Println(v.Size, v.IsLatest, v.IsDeleteMarker)
		oldest = v.Version
	}
	if err := versions.Err(); err != nil {
		log.Fatal(err)
	}
	restored, err := project.RestoreVersion(ctx, "notes", "today.txt", oldest)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("restored", restored.Size)
	// Output:
	// 0 true true
	// 15 false false
	// 5 false false
	// restored 5
}

func ExampleProject_BeginUpload() {
	ctx := context.Background()
	project, end := uplink.OpenExample()
	defer end()
	if _, err := project.CreateBucket(ctx, "backups", nil); err != nil {
		log.Fatal(err)
	}
	upload, err := project.BeginUpload(ctx, "backups", "disk.img", nil)
	if err != nil {
		log.Fatal(err)
	}
	var sending sync.WaitGroup
	for i, data := range []string{"the first part, ", "the second, ", "and the rest"} {
		sending.Go(func() {
			checksum := uplink.CustomMetadata{"checksum": fmt.Sprintf("of %d bytes", len(data))}
			opts := &uplink.PartOptions{Metadata: checksum, ContentSizeHint: int64(len(data))}
			if _, err := project.PutPart(ctx, "backups", "disk.img", upload.ID, i+1, strings.NewReader(data), opts); err != nil {
				log.Fatal(err)
			}
		})
	}
	sending.Wait()
	parts := project.ListParts(ctx, "backups", "disk.img", upload.ID, nil)
	for parts.Next() {
		fmt.Println(parts.Item().Number, parts.Item().Metadata["checksum"])
	}
	if err := parts.Err(); err != nil {
		log.Fatal(err)
	}
	object, err := project.CommitUpload(ctx, "backups", "disk.img", upload.ID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(object.Size, "bytes in", object.Parts, "parts")
	// Output:
	// 1 of 16 bytes
	// 2 of 12 bytes
	// 3 of 12 bytes
	// 40 bytes in 3 parts
}

func ExampleProject_SetRetention() {
	ctx := context.Background()
	project, end := uplink.OpenExample()
	defer end()
	if _, err := project.CreateBucket(ctx, "ledger", &uplink.BucketOptions{ObjectLock: true}); err != nil {
		log.Fatal(err)
	}
	object, err := project.Put(ctx, "ledger", "2026.csv", strings.NewReader("sum,0"), nil)
	if err != nil {
		log.Fatal(err)
	}
	keep := uplink.Retention{Mode: uplink.Compliance, Until: time.Now().AddDate(10, 0, 0)}
	if err := project.SetRetention(ctx, "ledger", "2026.csv", keep, nil); err != nil {
		log.Fatal(err)
	}
	_, err = project.DeleteObject(ctx, "ledger", "2026.csv", &uplink.DeleteOptions{Version: object.Version})
	fmt.Println(errors.Is(err, uplink.ErrObjectLocked))
	// Output: true
}

func ExampleUploadOptions_ifRevision() {
	ctx := context.Background()
	project, end := uplink.OpenExample()
	defer end()
	if _, err := project.CreateBucket(ctx, "state", nil); err != nil {
		log.Fatal(err)
	}
	read, err := project.Put(ctx, "state", "counter", strings.NewReader("1"), &uplink.UploadOptions{IfAbsent: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, writer := range []string{"alice", "bob"} {
		_, err := project.Put(ctx, "state", "counter", strings.NewReader("2"), &uplink.UploadOptions{IfRevision: read.Revision})
		fmt.Println(writer, errors.Is(err, uplink.ErrObjectChanged))
	}
	// Output:
	// alice false
	// bob true
}

func ExampleProject_DeletePrefix() {
	ctx := context.Background()
	project, end := uplink.OpenExample()
	defer end()
	if _, err := project.CreateBucket(ctx, "photos", nil); err != nil {
		log.Fatal(err)
	}
	for i := range 20 {
		if _, err := project.Put(ctx, "photos", fmt.Sprintf("2019/%d.jpg", i), strings.NewReader("x"), nil); err != nil {
			log.Fatal(err)
		}
	}
	deletion, err := project.DeletePrefix(ctx, "photos", "2019/", nil)
	if err != nil {
		log.Fatal(err)
	}
	done, err := project.WaitDeletion(ctx, deletion.ID, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(done.Objects, "objects deleted")
	// Output: 20 objects deleted
}

func ExampleProject_FS() {
	ctx := context.Background()
	project, end := uplink.OpenExample()
	defer end()
	if _, err := project.CreateBucket(ctx, "site", nil); err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"index.html", "css/main.css", "img/a.png"} {
		if _, err := project.Put(ctx, "site", key, strings.NewReader("content of "+key), nil); err != nil {
			log.Fatal(err)
		}
	}
	files := project.FS(ctx, "site", nil)
	err := fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
		fmt.Println(path)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	file, err := files.Open("css/main.css")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", content)
	// Output:
	// .
	// css
	// css/main.css
	// img
	// img/a.png
	// index.html
	// content of css/main.css
}
