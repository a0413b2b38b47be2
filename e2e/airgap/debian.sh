# A minimal Debian, made by debootstrap from Debian's packages.
# shellcheck shell=bash disable=SC2154 # here, cache and scratch: lib.sh, build.sh

# bookworm, not a later one: the node's systemd has to boot on cgroup v1, and
# systemd 252 is the last of Debian's that does.
debian_suite=bookworm
debian_mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
debian_security_mirror=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}

# debian_image prints the name of the image.
debian_image() {
	printf 'nova-staging/debian:%s-%s\n' "$debian_suite" \
		"$(hash debian.sh <<<"$debian_mirror $debian_security_mirror")"
}

# build_debian builds it, unless it is there.
build_debian() {
	has_image "$1" && return
	if ! command -v debootstrap >/dev/null; then
		((EUID == 0)) || die "debootstrap is not installed"
		step "Installing debootstrap" install_debootstrap
	fi
	((EUID == 0)) || die "debootstrap needs root: run this as root"
	step "Building $1" bootstrap_debian "$1"
}

install_debootstrap() {
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	apt-get install -y --no-install-recommends debootstrap
}

bootstrap_debian() {
	local tag=$1 dir=${scratch:?}/debian
	debootstrap --variant=minbase --include=ca-certificates "$debian_suite" "$dir" "$debian_mirror"
	cat >"$dir/etc/apt/sources.list" <<-END
		deb $debian_mirror $debian_suite main
		deb $debian_mirror $debian_suite-updates main
		deb $debian_security_mirror $debian_suite-security main
	END
	# Nothing starts while images are built, and what nobody reads in an image
	# stays out of it.
	printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
	chmod +x "$dir/usr/sbin/policy-rc.d"
	cat >"$dir/etc/dpkg/dpkg.cfg.d/small" <<-END
		path-exclude /usr/share/doc/*
		path-include /usr/share/doc/*/copyright
		path-exclude /usr/share/man/*
		path-exclude /usr/share/info/*
		path-exclude /usr/share/locale/*
		force-unsafe-io
	END
	cat >"$dir/usr/local/bin/install-packages" <<-'END'
		#!/bin/sh
		# install-packages NAME...: with security updates, and leaves no lists behind.
		set -e
		export DEBIAN_FRONTEND=noninteractive
		apt-get update
		apt-get upgrade -y
		apt-get install -y --no-install-recommends "$@"
		apt-get clean
		rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/debconf/*-old
	END
	chmod +x "$dir/usr/local/bin/install-packages"
	find "$dir/usr/share/doc" -type f ! -name copyright -delete
	(
		cd "${dir:?}" || exit
		rm -rf usr/share/{man,info,locale}/* var/cache/apt/* var/lib/apt/lists/* var/log/* dev/* etc/resolv.conf etc/hostname
	)
	tar -C "$dir" --numeric-owner --xattrs -c . |
		docker import --change 'CMD ["bash"]' --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$tag"
	rm -rf "$dir"
}
