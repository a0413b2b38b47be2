#!/usr/bin/env bash
# Fuzzes every fuzz target of the module for the given time each.
set -euo pipefail
cd "$(dirname "$0")/.."
time="${1:-20s}"
found=0
while read -r file; do
  package="./$(dirname "$file")"
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
    echo "== $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
    found=$((found + 1))
  done
done < <(grep -rlE '^func Fuzz' --include='*_test.go' . | sed 's#^\./##' | sort)
[ "$found" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
echo "$found targets fuzzed for $time each"
