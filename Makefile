# essaim: `make run` starts a demo co-operative, `make test` runs every test.

GO      ?= go
TIME    ?= 60s
DATA    ?= demo-data
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOLS    = git gcc libc6-dev swaks libnet-ssleay-perl isync curl python3 postfix ca-certificates xfsprogs btrfs-progs pebble vdirsyncer khard litmus rclone khal todoman python3-caldav python3-dateutil cadaver davfs2 gvfs-backends libglib2.0-bin dbus chromium thunderbird evolution-data-server python3-gi gir1.2-ecal-2.0 gir1.2-ebook-1.2 systemd skopeo

.PHONY: build run test unit race lint check crash bench fuzz cross tools dist deb reproducible release clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o essaim ./cmd/essaim

run: build
	./essaim demo --data $(DATA)

# Real clients and servers the tests talk to; tests that find none are skipped.
tools:
	@sh packaging/test-tools.sh $(TOOLS)

test: tools lint race

unit:
	$(GO) test ./...

race:
	$(GO) test -race -timeout 15m ./...

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

# The checks a release adds to the tests.
check: test cross
	$(GO) mod verify

release: check
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./...

# The long crash battery: thousands of power cuts, kills and faults.
crash:
	ESSAIM_CRASH=long $(GO) test -timeout 4h -count=1 -run 'Crash|Cut|Kill|Fault|Flip|Mutant' ./storage/... ./internal/... ./cmd/...

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Without the last flag the time goes by with making inputs shorter.
fuzz:
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p 2>/dev/null | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(TIME) -fuzzminimizetime 20x $$p || exit 1; \
	  done; done

cross:
	@for a in amd64 arm64 arm; do echo linux/$$a; \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$a GOARM=7 $(GO) build -trimpath -o /dev/null ./cmd/essaim || exit 1; done

# Static programs for amd64, arm64 and armv7, images and lists of parts: the
# same bytes in any directory.
ROOTS = $(wildcard /etc/ssl/certs/ca-certificates.crt)
dist:
	$(GO) run ./packaging/dist -out dist -version '$(VERSION)' $(if $(ROOTS),-roots $(ROOTS))

# Everything of a release made twice, in two directories and with two caches.
reproducible:
	ESSAIM_LONG=1 $(GO) test -count=1 -timeout 60m -v -run TestBuildsAreReproducible ./packaging/dist

# Debian packages, with Debian's own tools.
deb: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
deb: dist
	@for a in amd64 arm64 armhf; do packaging/deb.sh dist/essaim-linux-$$a '$(VERSION)' $$a dist || exit 1; done

clean:
	rm -rf essaim dist $(DATA)
