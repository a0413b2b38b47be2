package world

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// awsStub is aws, but for the services that the lab has not: IAM is at $LAB_IAM, and
// for EKS the real one looks at the arguments and calls nobody.
const awsStub = `#!/bin/sh
export HOME="$LAB_HOME"
case "$1" in
iam) exec %[1]s --endpoint-url "${LAB_IAM:?the lab has no IAM}" "$@" ;;
eks) exec %[1]s "$@" --generate-cli-skeleton output ;;
esac
exec %[1]s "$@"
`

// dockerStub is docker, but that it pushes to the lab's address in place of the
// registry's, which the daemon can not reach, and builds without buildx, which is
// not everywhere.
const dockerStub = `#!/bin/bash
set -e
case "$1 $2" in
"login "*) exec %[1]s login --username AWS --password-stdin "$LAB_DOCKER" ;;
"buildx build") shift 2 ;;
*) echo "docker $*: the stub knows login and buildx build" >&2; exit 2 ;;
esac
args=() push=
while [ $# -gt 0 ]; do
  case "$1" in
  --push) push=1 ;;
  -t) image="${2/#$LAB_DOCKER_HOST/$LAB_DOCKER}"; args+=(-t "$image"); shift ;;
  *) args+=("$1") ;;
  esac
  shift
done
%[1]s build --quiet "${args[@]}"
[ -z "$push" ] || %[1]s push --quiet "$image"
%[1]s rmi "$image" >/dev/null
`

// equip puts the tools that the pages ask for into a folder.
func (w *World) equip(bin string) error {
	for name, stub := range map[string]string{"aws": awsStub, "docker": dockerStub} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue // most walks go without it, and the one that does not will say so
		}
		if err := os.WriteFile(filepath.Join(bin, name), fmt.Appendf(nil, stub, path), 0o755); err != nil {
			return err
		}
	}
	kustomize, err := exec.LookPath(w.settings.Kustomize)
	if err != nil {
		return fmt.Errorf("the pages need kustomize: %w", err)
	}
	for name, path := range map[string]string{"kubectl": w.cluster.kubectl, "kustomize": kustomize} {
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	return nil
}
