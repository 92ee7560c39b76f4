# `make` lists the targets. CI runs nothing but these.
.DEFAULT_GOAL := help
.PHONY: help run test build generate lint bench bench-decision differential clean race check clients fsck-public tlog bench-trace soak kills powercut fuzz adapters hostile conformance

GO      ?= go
ADAPTERS = cmd/caio/shipped/adapters.wasm
SDK      = cmd/caio/shipped/_sdk
TEMPLATES = cmd/caio/shipped/_contracts
MODULES  = . sdk/adapter sdk/adaptertest plugins plugins/conformance examples/adapters/go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BUF      = $(GO) tool -modfile=tools/buf.mod buf

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build everything, start the example services and the server, and route real requests
	@$(GO) build -o bin/tour ./examples/tour
	@bin/tour -caio bin/caio

test: adapters ## run all tests
	@for m in $(MODULES); do (cd $$m && $(GO) test ./...) || exit 1; done

build: adapters ## build bin/caio with the shipped adapters inside
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/caio ./cmd/caio

# The adapters are ordinary guests: one module of their own, compiled to Wasm and embedded.
adapters: $(ADAPTERS) $(SDK) $(TEMPLATES)
$(ADAPTERS): $(shell find plugins sdk/adapter -name '*.go' -not -name '*_test.go' -o -name go.mod)
	cd plugins && GOOS=wasip1 GOARCH=wasm $(GO) build -buildmode=c-shared -trimpath -ldflags='-s -w' -o ../$(ADAPTERS) .

# What `caio adapter new` writes: the SDK, and the examples as scaffolds. go:embed passes over a directory with a go.mod.
SDKFILES = sdk/LICENSE $(shell find sdk/adapter sdk/adaptertest -type f -not -path '*/testdata/*' -not -name '*_test.go') \
	$(shell find examples/adapters -type f -not -path '*/node_modules/*' -not -name '*.wasm')
$(SDK): $(SDKFILES)
	@rm -rf $@
	@for f in $(SDKFILES); do \
		to=$@/$$f; case $$f in */go.mod) to=$$to.txt;; esac; \
		mkdir -p $$(dirname $$to) && cp $$f $$to || exit 1; \
	done
	@touch $@

# What `caio contract template` prints.
$(TEMPLATES): $(wildcard plugins/contracts/*.yaml)
	@rm -rf $@ && mkdir -p $@ && cp plugins/contracts/*.yaml $@

conformance: adapters ## minutes: play what providers were recorded to say to their adapters, then the same to the compiled module in the host
	@dir=$$(mktemp -d) && trap 'rm -rf $$dir' EXIT && \
	(cd plugins/conformance && $(GO) test -count=1 -run TestProviders . -args -cases $$dir) && \
	{ $(GO) run ./cmd/caio adapter test plugins --cases $$dir > $$dir/said || { grep FAIL $$dir/said; exit 1; }; } && tail -1 $$dir/said

generate: ## rebuild generated code
	$(BUF) generate --template tools/buf.gen.yaml

lint: adapters ## format, vet, staticcheck, proto lint, Rego and CUE checks
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	@for m in $(MODULES); do (cd $$m && $(GO) vet ./...) || exit 1; done
	$(GO) vet -tags bench,clients,soak ./cmd/caio
	$(GO) vet -tags differential,powercut ./runtime/policy ./runtime/store
	cd tools/tlog && $(GO) vet ./... && $(GO) tool -modfile=$(CURDIR)/tools/staticcheck.mod staticcheck ./...
	$(GO) vet -tags bench,soak ./runtime/engine ./runtime/store
	@for m in $(MODULES); do (cd $$m && $(GO) tool -modfile=$(CURDIR)/tools/staticcheck.mod staticcheck ./...) || exit 1; done
	$(BUF) lint
	$(BUF) format --diff --exit-code > /dev/null
	$(GO) run ./cmd/caio contract check examples/contracts examples/fields/contracts examples/refusals/contracts plugins/contracts
	$(GO) run ./cmd/caio policy check --strict policies
	$(GO) run ./cmd/caio policy fmt --check policies
	$(GO) run ./cmd/caio policy fmt --check examples/policies
	$(GO) run ./cmd/caio policy fmt --check examples/refusals/policies
	$(GO) run ./cmd/caio policy test policies
	$(GO) run ./cmd/caio policy test --policy-overlay examples/policies

check: build ## what CI runs beside the tests: lint, generated code is current, races, clients, examples, short fuzz
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory generate
	@git diff --exit-code -- schema/gen || { echo "generated code is not current: run 'make generate' and commit"; exit 1; }
	@$(MAKE) --no-print-directory race
	@$(MAKE) --no-print-directory clients
	@$(MAKE) --no-print-directory fsck-public
	@$(MAKE) --no-print-directory fuzz FUZZTIME=2s
	$(GO) build -o bin/tour ./examples/tour
	bin/tour -caio bin/caio -once -data "$$(mktemp -d)"

race: adapters ## run all tests under the race detector; those of the recordings run nothing side by side
	@for m in $(filter-out plugins/conformance,$(MODULES)); do (cd $$m && $(GO) test -race -timeout 60m ./...) || exit 1; done

clients: build ## call a running server with curl, grpcurl, buf curl and gRPC-Web
	$(GO) test -tags clients -run TestClients -count=1 -v ./cmd/caio

fsck-public: build tlog ## let Tessera's fsck check a running server's log, whole and with one byte changed on the way
	$(GO) test -tags clients -run TestFsckPublic -count=1 -v ./cmd/caio

# What others wrote for logs like ours: a module of its own, which nothing of the house imports.
tlog:
	@mkdir -p bin
	cd tools/tlog && $(GO) build -trimpath -o ../../bin/tlog .

soak: build ## minutes: changes under load, plain and under -race; kill -9 and nothing is lost; 1,000 starts decide alike; 1,000 random decisions replay
	$(GO) test -tags soak -run TestSoak -skip TestSoakFaults -count=1 -v -timeout 20m ./cmd/caio
	$(GO) test -tags soak -run TestReplayOfRandomDecisions -count=1 -v ./runtime/engine
	$(GO) build -race -o bin/caio-race ./cmd/caio
	$(GO) test -tags soak -run TestSoakChangesUnderLoad -count=1 -v -timeout 20m ./cmd/caio -caio $(CURDIR)/bin/caio-race -rate 20 -changes 100

faults: build ## minutes: 500 requests a second over upstreams that fail in every way: each ends in an answer or a code, nothing is left
	$(GO) test -tags soak -run TestSoakFaults -count=1 -v -timeout 30m ./cmd/caio

hostile: ## minutes: call every hostile guest 10,000 times beside a good one: nothing grows; print how long the good one waits
	$(GO) test -run TestHostileGuestsLeaveNothingBehind -count=1 -v -timeout 60m ./runtime/adapter -tries 10000

kills: ## minutes: kill -9 a process that writes to a store, 100 times: nothing acknowledged is missing
	$(GO) test -run TestKilled -count=1 -v -timeout 40m ./runtime/store -kills 100

powercut: ## minutes, as root on Linux: shut a file system down mid-write, 40 times: nothing acknowledged as durable is missing
	$(GO) test -tags powercut -run TestPowerCuts -count=1 -v -timeout 40m ./runtime/store

FUZZTIME ?= 30s
fuzz: adapters ## fuzz every decoder for FUZZTIME each
	@for m in $(MODULES); do (cd $$m && bash $(CURDIR)/tools/fuzz.sh $(FUZZTIME)) || exit 1; done

bench: build ## print what decisions, adapters, requests, memory and start cost
	$(GO) test -tags bench -run 'TestBench$$' -count=1 -v ./cmd/caio

bench-decision: build ## print what decisions cost with both engines, over the network, and under a change of policies
	$(GO) test -tags bench -run TestBenchDecision -count=1 -v -timeout 15m ./cmd/caio

# Both write to the disk of BENCH_DIR, and both run as many goroutines at once as caio serve does on a small machine.
BENCH_DIR ?= $(CURDIR)
bench-trace: export GOMAXPROCS ?= $(shell n=$$(nproc); [ $$n -le 4 ] && echo $$((2 * n)) || echo $$n)
bench-trace: tlog adapters ## minutes: print what durable traces cost, beside Tessera's POSIX log in the same run, and what a decision's trace costs its caller
	@dir=$$(mktemp -d -p $(BENCH_DIR) bench-trace.XXXX) && trap 'rm -rf $$dir' EXIT && \
	$(GO) test -tags bench -run TestBenchTrace -count=1 -v -timeout 20m ./runtime/store -dir $$dir/caio && bin/tlog bench --dir $$dir
	$(GO) test -tags bench -run TestBenchTraced -count=1 -v ./runtime/engine

differential: ## minutes: hold the two policy engines against each other over 1,000,000 pairs of invented policies and services
	$(GO) test -tags differential -run TestDifferential -count=1 -v -timeout 40m ./runtime/policy

clean: ## remove what was built and the development data
	rm -rf bin .caio $(ADAPTERS) $(SDK) $(TEMPLATES) bench.json bench-decision.json
