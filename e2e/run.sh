#!/usr/bin/env bash
# Runs the e2e suite: builds the pinned tools, finds images for the cluster (those
# that are published, or built here where no registry can be reached), and runs
# the scenarios. RUN is a pattern of scenarios, as for go test -run.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'END'
Usage: e2e/run.sh        (make e2e)

  RUN=TestTogether   only these scenarios
  E2E_KEEP=1         leave the cluster, and use it again in the next run
  E2E_AIRGAP=auto    1: build the images of Kubernetes and Argo CD from Go modules
                     and Debian packages; 0: pull the published ones; auto: build
                     them where no image registry can be reached
  ARTIFACTS          folder for the logs of a failed run (default: artifacts)

More settings: e2e/world/settings.go
END
}
case "${1:-}" in -h | --help) usage; exit ;; "") ;; *) usage >&2; exit 2 ;; esac

artifacts="${ARTIFACTS:-artifacts}"
mkdir -p bin "$artifacts"
export E2E_ARTIFACTS="${E2E_ARTIFACTS:-$PWD/$artifacts/e2e}"

echo "== tools"
GOBIN="$PWD/bin" go install -modfile=tools/e2e/go.mod sigs.k8s.io/kind github.com/google/ko
(cd bench/peers && go build -o ../../bin/kustomize sigs.k8s.io/kustomize/kustomize/v5)
export E2E_KIND="${E2E_KIND:-$PWD/bin/kind}" E2E_KO="${E2E_KO:-$PWD/bin/ko}" E2E_KUSTOMIZE="${E2E_KUSTOMIZE:-$PWD/bin/kustomize}"

reachable() { # reachable HOST: whether an image registry answers
  curl -sS --max-time 10 -o /dev/null "https://$1/v2/" 2>/dev/null
}
airgap="${E2E_AIRGAP:-auto}"
if [ "$airgap" = auto ]; then
  airgap=0
  for host in registry-1.docker.io quay.io gcr.io; do
    reachable "$host" || { echo "$host can not be reached: the images are built here"; airgap=1; break; }
  done
fi
if [ "$airgap" = 1 ]; then
  echo "== container engine and images"
  e2e/airgap/engine.sh
  e2e/airgap/build.sh -o "$artifacts/airgap.env"
  set -a
  # shellcheck disable=SC1091
  . "$artifacts/airgap.env"
  set +a
  # The name under which ko looks for a base in the container engine.
  docker tag "$E2E_BASE_IMAGE" ko.local/nova-staging-base:latest
  export KO_DEFAULTBASEIMAGE=ko.local/nova-staging-base:latest
fi

echo "== scenarios"
exec go test -tags e2e -count=1 -v -timeout 45m ${RUN:+-run "$RUN"} ./e2e
