# Targets that people and CI run. `make help` lists those with a ## comment.

SHELL := /bin/bash
GO ?= go
ARTIFACTS ?= artifacts
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
PKG := github.com/proerror77/nova-staging/internal/version
LDFLAGS := -s -w -X $(PKG).version=$(VERSION) -X $(PKG).commit=$(COMMIT)
LINT := $(GO) tool -modfile=tools/lint/go.mod
# Time for each fuzz target of `make fuzz`.
FUZZTIME ?= 20s
# How much `make soak` runs: about 16 minutes on 2 cores. `make test` runs little of each.
SOAK_RENDERS ?= 10000
SOAK_SMOKES ?= 500
SOAK_CYCLES ?= 1000

.DEFAULT_GOAL := help
.PHONY: help demo test e2e build images lint fmt fuzz soak bench vulncheck tidy clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## Watch generate at work, on an emulated ECR: no account, no cluster
	@$(GO) run ./internal/demo -generate bin/generate -manifests manifests

# A program with the race detector sleeps for a second at its end, each package's
# tests too, unless told otherwise.
test: ## Run every test, with the race detector and in random order
	GORACE=atexit_sleep_ms=20 $(GO) test -count=1 -race -shuffle=on -timeout=20m ./...

e2e: ## Tell the whole story on kind with Argo CD (RUN=TestName, E2E_KEEP=1)
	@e2e/run.sh

build: ## Build the programs into bin/
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

images: ## Build the programs' images with ko: KO_DOCKER_REPO=HOST/PREFIX IMAGE_PREFIX=staging-
	@test -n "$(KO_DOCKER_REPO)" || { echo "set KO_DOCKER_REPO to the registry and prefix to push to"; exit 2; }
	@set -e; for program in $(notdir $(wildcard cmd/*)); do \
	  VERSION=$(VERSION) COMMIT=$(COMMIT) KO_DOCKER_REPO=$(KO_DOCKER_REPO)/$(IMAGE_PREFIX)$$program \
	    $(GO) tool -modfile=tools/e2e/go.mod ko build --bare --tags $(COMMIT) ./cmd/$$program; done

lint: ## Check format, vet, staticcheck, workflows, and that go.mod is tidy
	@unformatted="$$($(LINT) gofumpt -l .)"; if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags e2e ./e2e/...
	$(LINT) staticcheck ./...
	$(LINT) staticcheck -tags e2e ./e2e/...
	$(LINT) actionlint
	$(GO) mod tidy -diff

fmt: ## Format the code
	$(LINT) gofumpt -w .

fuzz: ## Fuzz every parser for FUZZTIME each (default 20s)
	@bench/fuzz.sh $(FUZZTIME)

soak: ## Run generate, smoke and trigger under random faults: 10,000 renders, 500 smokes, 1,000 cycles (SOAK_RENDERS, SOAK_SMOKES, SOAK_CYCLES, SOAK_SEED=N)
	@SOAK_RENDERS=$(SOAK_RENDERS) SOAK_SMOKES=$(SOAK_SMOKES) SOAK_CYCLES=$(SOAK_CYCLES) \
	  $(GO) test -count=1 -timeout=4h -v -run 'TestSoak' ./soak 2>&1 | grep -vE '^ *(=== (RUN|PAUSE|CONT|NAME)|--- PASS: .*/)'; exit "$${PIPESTATUS[0]}"

bench: build ## Measure the programs against their peers, how they grow, and trigger under load: about 5 minutes
	@bench/run.sh

vulncheck: ## Look for known vulnerabilities (needs vuln.go.dev)
	$(LINT) govulncheck ./...

tidy: ## Tidy every module
	$(GO) mod tidy
	@for m in tools/lint tools/e2e tools/validate tools/argocd bench/peers; do (cd $$m && $(GO) mod tidy) || exit 1; done

clean: ## Remove what was built
	rm -rf bin $(ARTIFACTS)
