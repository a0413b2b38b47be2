package identity

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/proerror77/nova-staging/internal/release"
	"github.com/proerror77/nova-staging/smoke/cluster"
	"github.com/proerror77/nova-staging/smoke/rollout"
	"github.com/proerror77/nova-staging/smoke/verdict"
)

// Judge compares the containers of a view's current Pods with the release.
type Judge struct {
	Release release.Release
	// Unmanaged names containers that are not compared.
	Unmanaged []string
}

// Look gives the finding for one view.
func (j Judge) Look(v cluster.View) verdict.Finding {
	if v.Deployment == nil {
		return verdict.Unknown("", "a Deployment to compare with the release", "there is none")
	}
	known := j.index()
	var findings []verdict.Finding
	template := containers(&v.Deployment.Spec.Template.Spec)
	want := map[string]string{}
	for _, c := range template {
		if slices.Contains(j.Unmanaged, c.Name) {
			continue
		}
		digest, f := j.template(c, known)
		if f.Verdict != verdict.Passed {
			findings = append(findings, f)
		}
		if digest != "" {
			want[c.Name] = digest
		}
	}
	pods := rollout.Sort(v)
	if len(pods.Current) == 0 {
		findings = append(findings, verdict.Unknown("", "running containers of the present template", "there are none"))
	}
	others := j.others(v)
	for _, pod := range pods.Current {
		findings = append(findings, podFindings(pod, want, others)...)
	}
	if len(want) == 0 && len(findings) == 0 {
		findings = append(findings, verdict.Unknown("deployment/"+v.Deployment.Name, "a container to compare", "all are unmanaged"))
	}
	if len(findings) == 0 {
		return verdict.Pass(fmt.Sprintf("%d Pods run %s, as the template and release %s say", len(pods.Current), digests(want), j.Release.ID))
	}
	worst := verdict.Worst(findings)
	for _, f := range findings {
		if line := f.Target + ": " + f.Seen; f.Target != worst.Target && len(worst.Details) < 8 {
			worst.Details = append(worst.Details, line)
		}
	}
	return worst
}

func (j Judge) index() map[string]release.Image {
	known := map[string]release.Image{}
	for _, i := range j.Release.Images {
		known[Normal(i.Name)] = i
	}
	return known
}

// template judges one container of the Pod template and gives the digest that
// must run in it, empty when that is not known.
func (j Judge) template(c corev1.Container, known map[string]release.Image) (string, verdict.Finding) {
	ref := ParseReference(c.Image)
	target := "template container " + c.Name
	image, ok := known[Normal(ref.Name)]
	switch {
	case !ok && j.pinned(ref):
		return ref.Digest, verdict.Pass("pinned")
	case !ok:
		// With a digest too: who wrote that into the Deployment is not known.
		f := verdict.Unknown(target, "an image of the release, or one that the manifests pin by digest", c.Image+" is neither")
		f.Hint = "match the image in images.yaml, pin it in the manifests, or list the container under unmanagedContainers"
		return "", f
	case ref.Digest == "":
		f := verdict.Fail(target, image.Ref(), c.Image+", which has no digest")
		f.Hint = "the Deployment was changed after the render, or not rendered by generate"
		return image.Digest, f
	case ref.Digest != image.Digest:
		f := verdict.Fail(target, image.Ref(), c.Image)
		f.Hint = "the Deployment and the release ConfigMap are not of the same render, or one was changed by hand"
		return image.Digest, f
	}
	return image.Digest, verdict.Pass("as released")
}

// pinned says whether the manifests themselves gave this name this digest.
func (j Judge) pinned(ref Reference) bool {
	return digestRE.MatchString(ref.Digest) && slices.ContainsFunc(j.Release.Pinned, func(s string) bool {
		p := ParseReference(s)
		return p.Digest == ref.Digest && Normal(p.Name) == Normal(ref.Name)
	})
}

// others are digests that are certainly another image: those of the release's
// other images, and those that the Deployment's older templates ask for.
func (j Judge) others(v cluster.View) map[string]string {
	others := map[string]string{}
	for _, i := range j.Release.Images {
		others[i.Digest] = "the release's image " + i.Ref()
	}
	current := rollout.Sort(v).ReplicaSet
	for _, rs := range v.ReplicaSets {
		if current != nil && rs.UID == current.UID {
			continue
		}
		for _, c := range containers(&rs.Spec.Template.Spec) {
			if d := ParseReference(c.Image).Digest; d != "" {
				others[d] = "what the older ReplicaSet " + rs.Name + " asks for"
			}
		}
	}
	return others
}

func podFindings(pod *corev1.Pod, want, others map[string]string) []verdict.Finding {
	var findings []verdict.Finding
	asked := map[string]string{}
	for _, c := range containers(&pod.Spec) {
		asked[c.Name] = c.Image
	}
	statuses := map[string]corev1.ContainerStatus{}
	for _, s := range append(slices.Clone(pod.Status.ContainerStatuses), pod.Status.InitContainerStatuses...) {
		statuses[s.Name] = s
	}
	for _, name := range sortedKeys(want) {
		digest, target := want[name], "pod/"+pod.Name+" container "+name
		image, has := asked[name]
		if !has {
			findings = append(findings, verdict.Fail(target, "the container that the template has", "the Pod has no such container"))
			continue
		}
		if d := ParseReference(image).Digest; d != digest {
			findings = append(findings, verdict.Fail(target, digest, "the Pod asks for "+image))
			continue
		}
		status, has := statuses[name]
		if !has {
			findings = append(findings, verdict.Unknown(target, digest, "the Pod has no status for the container"))
			continue
		}
		if f := running(target, digest, status.ImageID, others); f.Verdict != verdict.Passed {
			findings = append(findings, f)
		}
	}
	return findings
}

// running judges a container's imageID against the digest it must have.
func running(target, want, imageID string, others map[string]string) verdict.Finding {
	got := ParseImageID(imageID)
	switch {
	case got.Digest == want:
		return verdict.Pass("as released")
	case got.Digest == "":
		f := verdict.Unknown(target, "imageID with "+want, imageID+": "+got.Why)
		f.Hint = "let the node pull the image from its registry"
		return f
	case others[got.Digest] != "":
		f := verdict.Fail(target, want, got.Digest+", which is "+others[got.Digest])
		f.Hint = "delete the Pod and look at the node's runtime; if both digests are one content, an index built anew with other " +
			"attestations, a runtime that still holds the older names that one: remove it from the node"
		return f
	}
	f := verdict.Unknown(target, want, got.Digest)
	f.Hint = "the Pod asks for the right digest, yet the runtime reports another: either the platform's manifest out of " +
		"that index, or a second digest of the same content; without the registry this can not be told from another image"
	return f
}

func containers(s *corev1.PodSpec) []corev1.Container {
	return append(slices.Clone(s.Containers), s.InitContainers...)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// digests lists the digests of want in a short form, each once.
func digests(want map[string]string) string {
	var out []string
	for _, name := range sortedKeys(want) {
		short := want[name]
		if len(short) > 19 {
			short = short[:19]
		}
		if !slices.Contains(out, short) {
			out = append(out, short)
		}
	}
	return strings.Join(out, ", ")
}
