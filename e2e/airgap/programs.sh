# Programs built from Go modules. Each folder of programs/ is a module of its
# own that pins one upstream release, and its tool lines name the programs. They
# become an image with nothing else in it, for other images to copy from.
# shellcheck shell=bash disable=SC2154,SC2164 # here and scratch: lib.sh, build.sh; cd: step has set -e

# What each folder is about: the module whose release it pins.
declare -A upstream=(
	[argocd]=github.com/argoproj/argo-cd/v3
	[cni]=github.com/containernetworking/plugins
	[containerd]=github.com/containerd/containerd/v2
	[coredns]=github.com/coredns/coredns
	[crictl]=sigs.k8s.io/cri-tools
	[etcd]=go.etcd.io/etcd/server/v3
	[kind]=sigs.k8s.io/kind
	[kube-router]=github.com/cloudnativelabs/kube-router/v2
	[kubernetes]=k8s.io/kubernetes
	[kustomize]=sigs.k8s.io/kustomize/kustomize/v5
	[local-path]=github.com/rancher/local-path-provisioner
	[prometheus]=github.com/prometheus/prometheus
)

# What the linker is to set: versions, where a program does not know its own.
declare -A ldflags=(
	[argocd]=$(printf -- ' -X github.com/argoproj/argo-cd/v3/common.%s' version=VERSION gitTag=vVERSION gitTreeState=archive)
	[cni]='-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=vVERSION'
	[containerd]='-X github.com/containerd/containerd/v2/version.Version=vVERSION'
	[crictl]='-X sigs.k8s.io/cri-tools/pkg/version.Version=vVERSION'
	[kube-router]='-X github.com/cloudnativelabs/kube-router/v2/pkg/version.Version=vVERSION'
	# kubeadm refuses to work without.
	[kubernetes]=$(printf -- ' -X k8s.io/component-base/version.%s' gitMajor=MAJOR gitMinor=MINOR gitVersion=vVERSION gitTreeState=archive)
)

# Build tags. Of Prometheus' service discoveries only Kubernetes' is wanted: each
# of the others brings its cloud's SDK.
declare -A tags=(
	[prometheus]='remove_all_sd,enable_kubernetes_sd'
)

# Files of the module that are wanted beside the programs.
declare -A extras=(
	[argocd]='entrypoint.sh hack/gpg-wrapper.sh hack/git-verify-wrapper.sh'
	[kind]='images/base/files'
)

# pinned prints the release of a folder's upstream, such as v1.37.2.
pinned() {
	local version
	version=$(awk -v module="${upstream[$1]}" '
		$1 == "require" {sub(/^require /, "")}
		$1 == module && $2 ~ /^v/ {print $2; exit}' "$here/programs/$1/go.mod")
	[[ $version ]] || die "programs/$1/go.mod does not require ${upstream[$1]}"
	printf '%s\n' "$version"
}

# linker_flags prints a folder's flags for the linker.
linker_flags() {
	local flags=${ldflags[$1]-} version major minor
	version=$(pinned "$1")
	IFS=. read -r major minor _ <<<"${version#v}"
	flags=${flags//VERSION/${version#v}}
	flags=${flags//MAJOR/$major}
	printf -- '-s -w %s\n' "${flags//MINOR/$minor}"
}

# programs_image prints the name of the image with a folder's programs.
programs_image() {
	printf 'nova-staging/programs-%s:%s-%s\n' "$1" "$(pinned "$1")" \
		"$(hash "programs/$1" <<<"$(linker_flags "$1") ${extras[$1]-}${tags[$1]:+ ${tags[$1]}}")"
}

# build_programs builds the images of folders, those that are not there.
build_programs() {
	local folder image
	for folder; do
		image=$(programs_image "$folder")
		has_image "$image" || step "Building $image" compile "$folder" "$image"
	done
}

compile() {
	local folder=$1 image=$2 out=$scratch/$1 module file
	mkdir "$out"
	cd "$here/programs/$folder"
	# A module may need a newer Go than the machine's own: the module proxy has it.
	GOTOOLCHAIN=auto CGO_ENABLED=0 go build -tags "${tags[$folder]-}" -trimpath -buildvcs=false \
		-ldflags "$(linker_flags "$folder")" -o "$out/" tool
	module=$(module_dir "$folder")
	for file in ${extras[$folder]-}; do
		cp -r "$module/$file" "$out/"
	done
	# A module's files are read-only, and none may be executed.
	chmod -R u+w "$out"
	find "$out" -maxdepth 1 -name '*.sh' -exec chmod 0755 {} +
	tar -C "$out" --owner=0 --group=0 -c . | docker import - "$image"
	rm -r "$out"
}

# module_dir prints where the source of a folder's upstream is.
module_dir() {
	(
		cd "$here/programs/$1"
		export GOTOOLCHAIN=auto
		go mod download "${upstream[$1]}"
		go list -m -f '{{.Dir}}' "${upstream[$1]}"
	)
}
