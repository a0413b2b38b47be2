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

.DEFAULT_GOAL := help
.PHONY: help demo test build lint fmt fuzz bench vulncheck tidy clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## Watch generate at work, on an emulated ECR: no account, no cluster
	@$(GO) run ./internal/demo -generate bin/generate -manifests manifests

test: ## Run every test, with the race detector and in random order
	$(GO) test -count=1 -race -shuffle=on -timeout=20m ./...

build: ## Build the programs into bin/
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

lint: ## Check format, vet, staticcheck, and that go.mod is tidy
	@unformatted="$$($(LINT) gofumpt -l .)"; if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(LINT) staticcheck ./...
	$(GO) mod tidy -diff

fmt: ## Format the code
	$(LINT) gofumpt -w .

fuzz: ## Fuzz every parser for FUZZTIME each (default 20s)
	@bench/fuzz.sh $(FUZZTIME)

bench: build ## Measure generate against kustomize, how it grows, and trigger under load
	@bench/run.sh

vulncheck: ## Look for known vulnerabilities (needs vuln.go.dev)
	$(LINT) govulncheck ./...

tidy: ## Tidy every module
	$(GO) mod tidy
	@for m in tools/lint tools/validate bench/peers; do (cd $$m && $(GO) mod tidy) || exit 1; done

clean: ## Remove what was built
	rm -rf bin $(ARTIFACTS)
