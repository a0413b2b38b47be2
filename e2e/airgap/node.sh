# The node image: kind's node with the cluster's images already in it, so that
# a cluster comes up without a registry and without loading.
# shellcheck shell=bash disable=SC2154 # here, cache and scratch: lib.sh, build.sh

# The tags that kubeadm and kind's containerd config ask for, which are not those
# of the programs in the images; check_tags compares.
etcd_tag=3.7.0-0
coredns_tag=v1.14.6
pause_tag=3.10

# The images that a cluster begins with, and how images/kubeadm calls them.
declare -A cluster_images
cluster_images=(
	[kube-apiserver]=registry.k8s.io/kube-apiserver:$(pinned kubernetes)
	[kube-controller-manager]=registry.k8s.io/kube-controller-manager:$(pinned kubernetes)
	[kube-scheduler]=registry.k8s.io/kube-scheduler:$(pinned kubernetes)
	[kube-proxy]=registry.k8s.io/kube-proxy:$(pinned kubernetes)
	[etcd]=registry.k8s.io/etcd:$etcd_tag
	[coredns]=registry.k8s.io/coredns/coredns:$coredns_tag
	[kube-router]=docker.io/nova-staging/kube-router:node
	[local-path-provisioner]=docker.io/nova-staging/local-path-provisioner:node
)
node_programs=(kind containerd cni crictl kubernetes etcd coredns kube-router local-path)

# node_image prints the name of the node image.
#   node_image DEBIAN WHAT_IS_BAKED
node_image() {
	local folder
	printf 'nova-staging/kind-node:%s-%s\n' "$(pinned kubernetes)" "$(
		{
			echo "$@" "$(pause_image)"
			for folder in "${node_programs[@]}"; do
				programs_image "$folder"
			done
		} | hash node.sh images/node images/kubeadm
	)"
}

# build_node builds it, unless it is there, and bakes images into it.
#   build_node TAG DEBIAN IMAGE...
build_node() {
	local tag=$1 debian=$2 base=${1/kind-node/kind-base} name
	local -a args images=()
	shift 2
	has_image "$tag" && return
	build_debian "$debian"
	build_programs "${node_programs[@]}"
	args=(--build-arg "DEBIAN=$debian" --build-arg "KUBERNETES_VERSION=$(pinned kubernetes)")
	for name in "${node_programs[@]}"; do
		args+=(--build-arg "$(tr a-z- A-Z_ <<<"$name")=$(programs_image "$name")")
	done
	for name in "${!cluster_images[@]}"; do
		# Even if there is one of that name, which may be an older one's.
		images+=("${cluster_images[$name]}")
		step "Building ${cluster_images[$name]}" docker_build -t "${cluster_images[$name]}" \
			--target "$name" "${args[@]}" "$here/images/kubeadm"
	done
	build_pause "$(pause_image)"
	docker tag "$(pause_image)" "registry.k8s.io/pause:$pause_tag"
	images+=("registry.k8s.io/pause:$pause_tag")
	step "Building $base" docker_build -t "$base" "${args[@]}" "$here/images/node"
	step "Building $tag" bake "$tag" "$base" "${images[@]}" "$@"
	# They are in the node now.
	docker rmi "$base" "${images[@]}" >/dev/null
}

# bake puts images into a copy of a base image's container and commits that.
#   bake TAG BASE IMAGE...
bake() {
	local tag=$1 base=$2 id
	shift 2
	id=$(docker run -d --network none --entrypoint sleep --security-opt seccomp=unconfined "$base" infinity)
	# shellcheck disable=SC2064 # now, as id is local
	trap "docker rm -f -v $id" EXIT
	check_tags "$id" "$@"
	docker exec -d "$id" sh -c 'containerd >/tmp/containerd.log 2>&1'
	docker exec "$id" sh -c 'for _ in $(seq 100); do ctr version >/dev/null 2>&1 && exit; sleep 0.2; done; cat /tmp/containerd.log; exit 1'
	# Pinned, or kubelet deletes them when the disk fills, and they cannot be
	# pulled again.
	docker save "$@" | docker exec -i "$id" ctr -n k8s.io images import \
		--label io.cri-containerd.pinned=pinned --all-platforms --no-unpack -
	docker exec "$id" sh -c 'pkill -x containerd; while pgrep -x containerd >/dev/null; do sleep 0.1; done; rm -rf /tmp/* /run/containerd'
	docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' --change 'CMD []' "$id" "$tag"
}

# check_tags fails unless the images hold all that kubeadm in a container asks
# for, and the pause image that containerd's config there names.
check_tags() {
	local id=$1 version wanted missing=0
	shift
	version=$(docker exec "$id" cat /kind/version)
	wanted=$(
		docker exec "$id" kubeadm config images list --kubernetes-version "$version" | grep -v /pause:
		docker exec "$id" sed -n 's/.*sandbox_image = "\(.*\)"/\1/p' /etc/containerd/config.toml
	)
	for wanted in $wanted; do
		if [[ " $* " != *" $wanted "* ]]; then
			echo "$wanted is wanted by Kubernetes $version, but the tag in node.sh is another one"
			missing=1
		fi
	done
	return "$missing"
}
