package images_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proerror77/nova-staging/plugin/images"
)

func TestMentionsAreTheImagesThatNoFieldHolds(t *testing.T) {
	t.Parallel()
	const host = "025434362120.dkr.ecr.ap-northeast-1.amazonaws.com"
	m := parse(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator, namespace: nova}
spec:
  template:
    spec:
      containers:
      - name: operator
        image: `+host+`/nova/operator:latest
        env:
        - {name: REGISTRY, value: `+host+`}
        - {name: PREFIX, value: "prefix `+host+`/nova"}
        - {name: RELATED_IMAGE, value: "`+host+`/nova/runner:latest"}
        args: ["--image=`+host+`/nova/init:v1", "--held=`+host+`/nova/held@`+digest+`", --again=`+host+`/nova/runner:latest]
      ephemeralContainers:
      - {name: debug, image: `+host+`/nova/debug}
---
apiVersion: tekton.dev/v1
kind: Task
metadata: {name: build}
spec:
  steps: [{name: build, image: 111122223333.dkr-ecr.eu-west-1.on.aws/ci/build:1}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: template, namespace: nova}
data:
  pod.yaml: |
    spec:
      containers:
      - image: `+host+`/nova/worker:latest
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.nova}
spec: {default: "`+host+`/nova/example:1"}
`)
	var got []string
	for _, x := range images.Mentions(m, images.Find(m, nil)) {
		got = append(got, x.Object+" "+x.Path+" "+x.String())
	}
	const pod = "Deployment nova/operator spec.template.spec."
	want := []string{
		pod + "containers[0].env[2].value " + host + "/nova/runner:latest",
		pod + "containers[0].args[0] " + host + "/nova/init:v1",
		pod + "containers[0].args[1] " + host + "/nova/held@" + digest,
		pod + "ephemeralContainers[0].image " + host + "/nova/debug",
		"Task build spec.steps[0].image 111122223333.dkr-ecr.eu-west-1.on.aws/ci/build:1",
		"ConfigMap nova/template data.pod.yaml " + host + "/nova/worker:latest",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
