#!/usr/bin/env bash
# Builds every image that the e2e tests need, from Go modules and Debian's
# packages alone.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=programs.sh
. "$here/programs.sh"
# shellcheck source=debian.sh
. "$here/debian.sh"
# shellcheck source=argocd.sh
. "$here/argocd.sh"
# shellcheck source=prometheus.sh
. "$here/prometheus.sh"
# shellcheck source=node.sh
. "$here/node.sh"

# The name in manifests/nova/components/redis-sentinel.
nova_redis=docker.io/library/redis:7.2.5-alpine

usage() {
	cat <<END
Usage: e2e/airgap/build.sh [-o FILE]

Builds the images that the e2e tests need where only the Go module proxy and
Debian's packages can be reached: a kind node, Argo CD, Redis, Prometheus, and a
base image for this project's own programs. What is there already is not built again. Docker
is started first where it does not answer (engine.sh). Needs root and Go.

  -o, --output FILE   write the results to FILE (default artifacts/airgap.env),
                      for a shell to source:
    E2E_NODE_IMAGE       for kind create cluster --image
    E2E_KIND_CONFIG      for kind create cluster --config
    E2E_KIND_VERSION     the release of kind that both are made for
    E2E_ARGOCD_IMAGE     Argo CD
    E2E_ARGOCD_MANIFEST  its install.yaml, which pulls only what is absent
    E2E_REDIS_IMAGE      Redis with sentinel and client
    E2E_BASE_IMAGE       like gcr.io/distroless/static:nonroot, for ko
    E2E_BAKED_IMAGES     what Pods can use without pulling or loading
    E2E_LOAD_IMAGES      what has to be loaded into the cluster (nothing)
  -h, --help          this text

DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR name mirrors other than deb.debian.org.
The log of each step is in $cache/logs.
END
}

main() {
	local output=$here/../../artifacts/airgap.env
	while (($#)); do
		case $1 in
		-h | --help) usage && return ;;
		-o | --output)
			(($# > 1)) || die "$1 needs a file"
			output=$2
			shift
			;;
		*) die "unknown argument $1, see --help" ;;
		esac
		shift
	done
	command -v go >/dev/null || die "Go is not installed"
	mkdir -p "$cache" "$(dirname "$output")"
	output=$(cd "$(dirname "$output")" && pwd)/${output##*/}
	exec 9>"$cache/build.lock"
	if ! flock -n 9; then
		say "Waiting for another build.sh to end"
		flock 9
	fi
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/nova-staging-airgap.XXXXXX")
	trap 'rm -rf "$scratch"' EXIT

	"$here/engine.sh" 9>&-
	name_images
	build_images
	write_env "$output"
	say "The results are in $output"
}

# name_images sets the names of the images. Each has a hash of what it is made
# of, the names of images that it copies from included.
name_images() {
	debian=$(debian_image)
	static=nova-staging/static:$(hash images/static <<<"$debian")
	# Debian's suite decides on the release, of which only security fixes change.
	redis=nova-staging/redis:7.0-$(hash images/redis <<<"$debian")
	argocd=$(argocd_image "$debian")
	# In the node under the names that manifests ask for.
	argocd_name=quay.io/argoproj/argocd:$(pinned argocd)
	prometheus=$(prometheus_image "$static")
	baked=("$argocd_name" "$argocd_redis" "$redis" "$nova_redis" "$(prometheus_name)")
	node=$(node_image "$debian" "${baked[*]} $argocd $prometheus")
}

build_images() {
	if ! has_image "$static" || ! has_image "$redis"; then
		build_debian "$debian"
		build_image "$static" images/static --build-arg DEBIAN="$debian"
		build_image "$redis" images/redis --build-arg DEBIAN="$debian"
	fi
	build_argocd "$argocd" "$debian"
	docker tag "$argocd" "$argocd_name"
	docker tag "$redis" "$argocd_redis"
	docker tag "$redis" "$nova_redis"
	build_prometheus "$prometheus" "$static"
	docker tag "$prometheus" "$(prometheus_name)"
	build_node "$node" "$debian" "${baked[@]}"
}

write_env() {
	local manifest
	manifest=$cache/argocd-$(pinned argocd)-install.yaml
	argocd_manifest "$manifest"
	{
		echo "# Written by e2e/airgap/build.sh."
		printf '%s=%q\n' \
			E2E_NODE_IMAGE "$node" \
			E2E_KIND_CONFIG "$here/kind.yaml" \
			E2E_KIND_VERSION "$(pinned kind)" \
			E2E_ARGOCD_IMAGE "$argocd_name" \
			E2E_ARGOCD_MANIFEST "$manifest" \
			E2E_REDIS_IMAGE "$redis" \
			E2E_BASE_IMAGE "$static"
		printf '%s="%s"\n' \
			E2E_BAKED_IMAGES "${baked[*]}" \
			E2E_LOAD_IMAGES ""
	} >"$1.new"
	mv "$1.new" "$1"
}

main "$@"
