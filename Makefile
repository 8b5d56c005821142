# Everything a developer does here. `make help` lists it.
#
# Sizes: the tests of the promises (bench/promises) read ZDHOST_SIZE, which is small, full or soak.

MODULE   := github.com/zdhost/zdhost
PROMISES := ./bench/promises/...
COUNT    ?= 1
FUZZTIME ?= 10m
RACE     ?= $(UNITS)
GOLANGCI := v2.15.0

# The rest of the module, tested apart: the promises are measured with nothing else running.
UNITS = $$(go list ./... | grep -v '^$(MODULE)/bench/promises')

# The Go toolchain stamps the version from git; where git can't tell, the binary says "devel".
STAMP := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo true || echo false)

.PHONY: help build demo test race bench bench-check soak lint docs tools

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## bin/zdhost
	CGO_ENABLED=0 go build -trimpath -buildvcs=$(STAMP) -o bin/zdhost ./cmd/zdhost

demo: build ## ten seconds: a service under load is upgraded, badly upgraded, rolled back
	@bin/zdhost demo

test: ## install what the tests need, vet, run all tests
	@.ci/install
	go vet ./...
	go test -timeout 10m $(UNITS)
	go test -timeout 25m $(PROMISES)

race: ## the tests under the race detector, the promises with such a zdhost; COUNT=n, RACE=packages
	@.ci/install gcc
	CGO_ENABLED=1 go test -race -count=$(COUNT) -timeout 60m $(RACE)
	ZDHOST_RACE=1 go test -count=$(COUNT) -timeout 60m $(PROMISES)

bench: ## zdhost beside the bare server and its peers, in one run
	@.ci/install
	go run ./bench/peers

bench-check: ## the promises at full size, with their figures
	@.ci/install
	ZDHOST_SIZE=full go test -count=1 -timeout 3h -v $(PROMISES)

soak: ## the promises ten times as long, then every fuzz target for FUZZTIME (10m)
	@.ci/install
	ZDHOST_SIZE=soak go test -count=1 -timeout 24h -v $(PROMISES)
	@.ci/fuzz $(FUZZTIME)

lint: ## golangci-lint, from PATH if it is version 2, else built into bin/tools
	@.ci/lint $(GOLANGCI)

docs: build ## write the generated pages of docs/reference anew
	bin/zdhost _docs docs/reference
	UPDATE_GOLDEN=1 go test -count=1 -run '^TestReference$$' ./host ./host/config ./internal/architecture
	go test -count=1 -run '^TestReference' ./host/rollout -update

tools: ## golangci-lint and the servers that the tests use
	@.ci/install
	@.ci/lint $(GOLANGCI) build
