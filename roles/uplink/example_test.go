package uplink_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"storj/roles/uplink"
)

// The examples need a network; they are compiled but not run.

func Example() {
	ctx := context.Background()
	access, err := uplink.ParseAccess(os.Getenv("STORJ_ACCESS"))
	if err != nil {
		log.Fatal(err)
	}
	project, err := uplink.Open(ctx, uplink.Config{}, access)
	if err != nil {
		log.Fatal(err)
	}
	defer project.Close()
	if _, err := project.EnsureBucket(ctx, "notes", nil); err != nil {
		log.Fatal(err)
	}
	object, err := project.Put(ctx, "notes", "today.txt", strings.NewReader("water the plants"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(object.Size)
}

func ExampleRequestAccess() {
	ctx := context.Background()
	satelliteURL := os.Args[1] // ID@host:port
	access, err := uplink.RequestAccess(ctx, uplink.Config{}, satelliteURL, os.Getenv("STORJ_API_KEY"), []byte("a long passphrase"))
	if errors.Is(err, uplink.ErrAPIKeyInvalid) {
		log.Fatal("ask the owner of the satellite for another key")
	}
	if err != nil {
		log.Fatal(err)
	}
	grant, err := access.Serialize()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("access.txt", []byte(grant), 0o600); err != nil {
		log.Fatal(err)
	}
}

func ExampleProject_Upload() {
	ctx := context.Background()
	var project *uplink.Project // from Open
	upload, err := project.Upload(ctx, "backups", "2026-11-22.tar", &uplink.UploadOptions{
		IfAbsent: true,
		Metadata: uplink.CustomMetadata{"content-type": "application/x-tar"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer upload.Abort(ctx) // does nothing after Commit
	if _, err := io.Copy(upload, os.Stdin); err != nil {
		log.Fatal(err)
	}
	if _, err := upload.Commit(ctx); errors.Is(err, uplink.ErrObjectExists) {
		log.Print("today's backup is there already")
	} else if err != nil {
		log.Fatal(err)
	}
}

func ExampleProject_Download() {
	ctx := context.Background()
	var project *uplink.Project // from Open
	lastPage := &uplink.DownloadOptions{Offset: -4096}
	download, err := project.Download(ctx, "logs", "service.log", lastPage)
	if err != nil {
		log.Fatal(err)
	}
	defer download.Close()
	if _, err := io.Copy(os.Stdout, download); err != nil {
		log.Fatal(err)
	}
}

func ExampleProject_List() {
	ctx := context.Background()
	var project *uplink.Project // from Open
	list := project.List(ctx, "photos", &uplink.ListOptions{Prefix: "2026/"})
	for list.Next() {
		fmt.Println(list.Item().Key, list.Item().Size)
	}
	if err := list.Err(); err != nil {
		log.Fatal(err)
	}
	if n := list.Hidden(); n > 0 {
		fmt.Printf("%d objects of another passphrase\n", n)
	}
}

func ExampleProject_Share() {
	ctx := context.Background()
	var project *uplink.Project // from Open
	permission := uplink.ReadOnlyPermission()
	permission.NotAfter = time.Now().Add(24 * time.Hour)
	shared, err := project.Share(ctx, permission, uplink.SharePrefix{Bucket: "photos", Prefix: "2026/"})
	if err != nil {
		log.Fatal(err)
	}
	grant, err := shared.Serialize()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(grant) // for a friend; and later:
	if err := project.RevokeAccess(ctx, shared); err != nil {
		log.Fatal(err)
	}
}
