#!/usr/bin/env bash
# Makes a Docker daemon answer that can run kind's nodes.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	cat <<END
Usage: e2e/airgap/engine.sh

Makes sure that a Docker daemon answers and runs containers with --privileged,
as kind's nodes need. Where one does, nothing is changed. Else docker.io is
installed from Debian's packages if there is no dockerd, and dockerd is started
in the background, where it stays. Needs root for that.

A user's /etc/docker/daemon.json stays in force and is not written to. Where
this machine lacks a capability that --privileged asks for, dockerd gets a
runtime that leaves it out (boundedrunc).

  Log of dockerd:  $log
  Stop it again:   kill \$(cat $pidfile)
END
}

log=$cache/dockerd.log
pidfile=$cache/dockerd.pid
runtime=$cache/bin/boundedrunc
# Seconds that dockerd is given to answer.
patience=60

main() {
	case ${1-} in
	'') ;;
	-h | --help) usage && return ;;
	*) die "unknown argument $1, see --help" ;;
	esac
	mkdir -p "$cache/bin"
	exec 8>"$cache/engine.lock"
	flock 8

	if docker info >/dev/null 2>&1; then
		say "Docker $(docker version -f '{{.Server.Version}}') answers"
	else
		start
	fi
	run_privileged
}

# start installs what is missing and starts dockerd.
start() {
	((EUID == 0)) || die "no Docker daemon answers, and starting one needs root: start it, or run this as root"
	if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
		step "Installing docker.io" install_docker
	fi
	local -a flags=(--pidfile "$pidfile")
	if ! all_capabilities; then
		step "Building boundedrunc" build_program boundedrunc "$runtime"
		flags+=(--add-runtime "boundedrunc=$runtime" --default-runtime boundedrunc)
	fi
	# dockerd refuses to start if another process has come to have the number
	# that one before it left behind.
	if [[ -s $pidfile && $(cat "/proc/$(<"$pidfile")/comm" 2>/dev/null) != dockerd ]]; then
		rm "$pidfile"
	fi
	say "Starting dockerd, its log is $log"
	# Nothing of this shell stays with it: not its terminal, not its lock.
	setsid nohup dockerd "${flags[@]}" </dev/null >"$log" 2>&1 8>&- &
	local pid=$! deadline=$((SECONDS + patience))
	until docker info >/dev/null 2>&1; do
		if ! kill -0 "$pid" 2>/dev/null; then
			tail -n 20 "$log" >&2
			die "dockerd ended before it answered, see above"
		fi
		if ((SECONDS > deadline)); then
			tail -n 20 "$log" >&2
			die "dockerd did not answer within ${patience}s, see above"
		fi
		sleep 0.3
	done
	say "Docker $(docker version -f '{{.Server.Version}}') answers"
}

install_docker() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	apt-get install -y --no-install-recommends docker.io iptables
}

# all_capabilities says whether this process may have every capability that the
# kernel knows, which is what --privileged asks for.
all_capabilities() {
	local last bounds
	last=$(</proc/sys/kernel/cap_last_cap)
	bounds=$(awk '/^CapBnd:/ {print $2}' /proc/self/status)
	(((0x$bounds & ((1 << (last + 1)) - 1)) == (1 << (last + 1)) - 1))
}

# run_privileged proves that --privileged works, with the smallest of images.
run_privileged() {
	local image said
	image=$(pause_image)
	build_pause "$image"
	said=$(docker run --rm --privileged --network none --user 0 "$image" -check 2>&1) && return
	printf '%s\n' "$said" >&2
	if all_capabilities; then
		die "Docker cannot run a container with --privileged, see above"
	fi
	die "Docker cannot run a container with --privileged, see above; this machine lacks capabilities: stop that daemon and run this again, it starts one that can"
}

main "$@"
