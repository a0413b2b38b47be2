# Argo CD's image and its manifest.
# shellcheck shell=bash disable=SC2154 # here, cache and scratch: lib.sh, build.sh

# The Redis that its manifest names; argocd_manifest checks it.
argocd_redis=public.ecr.aws/docker/library/redis:8.10.1-alpine

# argocd_image prints the name of Argo CD's image over a Debian.
argocd_image() {
	printf 'nova-staging/argocd:%s-%s\n' "$(pinned argocd)" \
		"$(hash images/argocd <<<"$1 $(programs_image argocd) $(programs_image kustomize)")"
}

# build_argocd builds it, unless it is there.
#   build_argocd TAG DEBIAN
build_argocd() {
	has_image "$1" && return
	build_debian "$2"
	build_programs argocd kustomize
	build_image "$1" images/argocd \
		--build-arg DEBIAN="$2" \
		--build-arg ARGOCD="$(programs_image argocd)" \
		--build-arg KUSTOMIZE="$(programs_image kustomize)"
}

# argocd_manifest writes Argo CD's install.yaml to a file, unless it is
# there. What it pulls always it pulls only if absent: its images are in the node.
argocd_manifest() {
	[[ -s $1 ]] || step "Writing $1" extract_manifest "$1"
	grep -q "image: $argocd_redis\$" "$1" ||
		die "argocd_redis in argocd.sh is not the image that $1 names: $(grep -o 'image: .*redis.*' "$1")"
}

extract_manifest() {
	local dir
	dir=$(module_dir argocd)
	sed 's/imagePullPolicy: Always/imagePullPolicy: IfNotPresent/' "$dir/manifests/install.yaml" >"$1.new"
	mv "$1.new" "$1"
}
