# Everything is built and tested with the Go toolchain alone. T is the time for each fuzz target, FOR that of chaos, REF a
# git reference.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOFLAGS_BUILD = -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
T ?= 20s
FOR ?= 5m
SIZE_LIMIT = 40000000

export PATH := $(PATH):/usr/local/go/bin
export CGO_ENABLED ?= 0

.PHONY: build demo check test race fuzz e2e chaos years bench golden size clean

build: ## static binary in bin/storj
	go build $(GOFLAGS_BUILD) -o bin/storj .

demo: build ## a whole network on this machine: a file up, nodes killed, the file back
	bin/storj demo

check: ## before every commit, under a minute: format, vet, house rules, short tests
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "not gofmt-ed: $$unformatted"; exit 1; fi
	go vet ./...
	go test -short ./...

test: build ## everything, with real sockets, disks and processes
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "not gofmt-ed: $$unformatted"; exit 1; fi
	go vet ./...
	go test -count=1 -timeout 30m ./...

race: ## the short tests under the race detector; needs a C compiler
	CGO_ENABLED=1 go test -race -short -count=1 -timeout 30m ./...

e2e: build ## the network stories alone
	go test -count=1 -timeout 30m -v ./e2e/

chaos: build ## for FOR, everything fails that can fail: processes, disks, lines, clocks
	STORJ_E2E_BINARY=$(CURDIR)/bin/storj go test ./e2e -run '^TestChaos$$' -chaos $(FOR) -count=1 -timeout 1h -v

years: ## a year of 200 nodes in virtual time: deaths, liars, sleepers, a fire; about ten minutes
	go test ./e2e/years -run '^TestYears$$' -days 365 -count=1 -timeout 3h -v

fuzz: ## each fuzz target for T
	@for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(T) $$pkg || exit 1; \
	  done; \
	done

bench: build ## the figures of the README, with a bare QUIC baseline from the same run
	bin/storj bench --network --nodes 10
	bin/storj bench --network --nodes 10 --relaxed-sync
	bin/storj bench --network --nodes 110
	go test -run '^$$' -bench . -benchmem ./ecenc/... ./netx/... ./pieces/... ./metainfo/... ./roles/satellite/...

golden: ## rewrite golden files after a wanted change
	go test ./... -update

size: build ## the binary against its budget
	@size=$$(stat -c %s bin/storj); echo "bin/storj $$size bytes of $(SIZE_LIMIT)"; test $$size -le $(SIZE_LIMIT)

clean:
	rm -rf bin
