#!/usr/bin/env bash
# The seed's way of a smoke test: one curl after another. It reads base URLs
# from stdin and does for each the requests that smoke does: the health endpoint
# three times, the metrics page once.
set -euo pipefail
while read -r url; do
  for _ in 1 2 3; do
    curl --silent --show-error --fail --max-time 5 --output /dev/null "$url/health"
  done
  curl --silent --show-error --fail --max-time 5 "$url/metrics" | grep -q '^# TYPE'
done
