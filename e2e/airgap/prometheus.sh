# Prometheus' image.
# shellcheck shell=bash disable=SC2154 # here: lib.sh

# prometheus_name prints the name under which it is published: the module of
# release 3.15.1 is v0.315.1.
prometheus_name() {
	local minor patch
	IFS=. read -r _ minor patch <<<"$(pinned prometheus)"
	printf 'quay.io/prometheus/prometheus:v%d.%d.%s\n' $((minor / 100)) $((minor % 100)) "$patch"
}

# prometheus_image prints the name of the image over a static base.
prometheus_image() {
	printf 'nova-staging/prometheus:%s-%s\n' "$(pinned prometheus)" \
		"$(hash images/prometheus <<<"$1 $(programs_image prometheus)")"
}

# build_prometheus builds it, unless it is there.
#   build_prometheus TAG STATIC
build_prometheus() {
	has_image "$1" && return
	build_programs prometheus
	build_image "$1" images/prometheus --build-arg STATIC="$2" --build-arg PROMETHEUS="$(programs_image prometheus)"
}
