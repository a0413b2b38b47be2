# Shared by the scripts of this folder, which source it.
# shellcheck shell=bash

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Where logs and what dockerd needs are kept. The images are kept by Docker.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/nova-staging/airgap
started=$SECONDS

# elapsed prints the time since the script's start, as in 12m05s.
elapsed() {
	local s=$((SECONDS - started))
	printf '%dm%02ds' $((s / 60)) $((s % 60))
}

# say prints a line of progress.
say() {
	printf '%7s  %s\n' "$(elapsed)" "$*" >&2
}

# die ends the script with one line that says why.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# step runs a command with its output in a log; what is shown is its name, and
# the end of the log if it fails.
#   step "Building CoreDNS" command args...
step() {
	local name=$1 log status=0 begun=$SECONDS
	shift
	log=$cache/logs/$(tr -cs 'A-Za-z0-9.\n' - <<<"$name").log
	mkdir -p "${log%/*}"
	say "$name"
	# In a shell of its own, for there set -e counts: it does not in a function
	# whose failure is handled.
	set +e
	(
		set -e
		"$@"
	) >"$log" 2>&1
	status=$?
	set -e
	if ((status != 0)); then
		say "$name: failed after $((SECONDS - begun))s, the end of $log:"
		tail -n 30 "$log" | sed 's/^/         | /' >&2
		exit "$status"
	fi
}

# hash prints 12 hex digits of what the named files and folders hold, and of
# their names as given; and of stdin, for what is in no file.
hash() {
	{
		cat
		(cd "$here" && find "$@" -type f ! -name '*_test.go' ! -name '*.md' -print0 |
			LC_ALL=C sort -z | xargs -0 sha256sum)
	} | sha256sum | cut -c1-12
}

# has_image says whether Docker holds an image.
has_image() {
	docker image inspect "$1" >/dev/null 2>&1
}

# docker_build is docker build with packages from the machine's own network.
docker_build() {
	docker build --network host --build-arg http_proxy --build-arg https_proxy --build-arg no_proxy "$@"
}

# build_image builds an image from a folder with a Dockerfile, unless it is there.
#   build_image TAG FOLDER [docker build flags...]
build_image() {
	local tag=$1 folder=$2
	shift 2
	has_image "$tag" || step "Building $tag" docker_build -t "$tag" "$@" "$here/$folder"
}

# build_program builds a program of this folder, static.
#   build_program FOLDER FILE
build_program() {
	cd "$here/../.."
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$2" "./e2e/airgap/$1"
}

# pause_image prints the name of the image that build_pause builds.
pause_image() {
	printf 'nova-staging/pause:%s\n' "$(hash pause </dev/null)"
}

# build_pause builds the image that holds a Pod together, unless it is there.
build_pause() {
	has_image "$1" || step "Building $1" import_pause "$1"
}

import_pause() {
	local dir
	dir=$(mktemp -d)
	build_program pause "$dir/pause"
	tar -C "$dir" --owner=0 --group=0 -c pause |
		docker import --change 'ENTRYPOINT ["/pause"]' --change 'USER 65535:65535' - "$1"
	rm -r "$dir"
}
