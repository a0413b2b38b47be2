#!/usr/bin/env bash
# Builds the peers in the versions that bench/peers/go.mod pins, and measures.
set -euo pipefail
cd "$(dirname "$0")/.."
(cd bench/peers && go build -o ../../bin/kustomize sigs.k8s.io/kustomize/kustomize/v5)
(cd bench/peers && go build -o ../../bin/tagbytag ./tagbytag)
go run ./bench/generate -generate bin/generate -kustomize bin/kustomize "$@"
echo
go test ./bench/smoke -run '^$' -bench . -benchtime "${SMOKE_RUNS:-3x}" -v
echo
go run ./bench/trigger -trigger bin/trigger
