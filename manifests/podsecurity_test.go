package manifests_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// restricted lists what the restricted Pod Security Standard has against a Pod.
// It is stricter in three places: the root file system can not be written, and
// no sysctl or SELinux option is let through, because nothing here needs one.
func restricted(spec corev1.PodSpec) []string {
	var found []string
	bad := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }

	if spec.HostNetwork || spec.HostPID || spec.HostIPC {
		bad("it shares a namespace of the host")
	}
	for _, v := range spec.Volumes {
		if !allowedVolume(v.VolumeSource) {
			bad("volume %s is of a type that is not allowed", v.Name)
		}
	}
	pod := spec.SecurityContext
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	if len(pod.Sysctls) > 0 {
		bad("it sets sysctls")
	}
	if !allowedSELinux(pod.SELinuxOptions) {
		bad("it sets an SELinux user, role or type")
	}
	if !allowedAppArmor(pod.AppArmorProfile) {
		bad("it switches AppArmor off")
	}
	if pod.RunAsUser != nil && *pod.RunAsUser == 0 {
		bad("it runs as user 0")
	}
	if p := pod.SeccompProfile; p != nil && !allowedSeccomp(p) {
		bad("its seccomp profile is %s", p.Type)
	}

	for _, c := range containers(spec) {
		s := c.SecurityContext
		if s == nil {
			s = &corev1.SecurityContext{}
		}
		if s.Privileged != nil && *s.Privileged {
			bad("container %s is privileged", c.Name)
		}
		if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
			bad("container %s allows privilege escalation", c.Name)
		}
		if s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") {
			bad("container %s does not drop ALL capabilities", c.Name)
		}
		if s.Capabilities != nil {
			for _, add := range s.Capabilities.Add {
				if add != "NET_BIND_SERVICE" {
					bad("container %s adds capability %s", c.Name, add)
				}
			}
		}
		nonRoot := pod.RunAsNonRoot
		if s.RunAsNonRoot != nil {
			nonRoot = s.RunAsNonRoot
		}
		if nonRoot == nil || !*nonRoot {
			bad("container %s may run as root", c.Name)
		}
		if s.RunAsUser != nil && *s.RunAsUser == 0 {
			bad("container %s runs as user 0", c.Name)
		}
		switch {
		case s.SeccompProfile == nil && pod.SeccompProfile == nil:
			bad("container %s has no seccomp profile", c.Name)
		case s.SeccompProfile != nil && !allowedSeccomp(s.SeccompProfile):
			bad("container %s's seccomp profile is %s", c.Name, s.SeccompProfile.Type)
		}
		if s.ProcMount != nil && *s.ProcMount != corev1.DefaultProcMount {
			bad("container %s unmasks /proc", c.Name)
		}
		if !allowedSELinux(s.SELinuxOptions) {
			bad("container %s sets an SELinux user, role or type", c.Name)
		}
		if !allowedAppArmor(s.AppArmorProfile) {
			bad("container %s switches AppArmor off", c.Name)
		}
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				bad("container %s takes port %d of the host", c.Name, p.HostPort)
			}
		}
		for _, p := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			if p != nil && (p.HTTPGet != nil && p.HTTPGet.Host != "" || p.TCPSocket != nil && p.TCPSocket.Host != "") {
				bad("container %s has a probe that asks another host", c.Name)
			}
		}
		if s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			bad("container %s can write its root file system", c.Name)
		}
	}
	return found
}

func allowedVolume(v corev1.VolumeSource) bool {
	return v.ConfigMap != nil || v.CSI != nil || v.DownwardAPI != nil || v.EmptyDir != nil || v.Ephemeral != nil ||
		v.PersistentVolumeClaim != nil || v.Projected != nil || v.Secret != nil
}

func allowedSeccomp(p *corev1.SeccompProfile) bool {
	return p.Type == corev1.SeccompProfileTypeRuntimeDefault || p.Type == corev1.SeccompProfileTypeLocalhost
}

func allowedSELinux(o *corev1.SELinuxOptions) bool {
	return o == nil || o.User == "" && o.Role == "" && o.Type == ""
}

func allowedAppArmor(p *corev1.AppArmorProfile) bool {
	return p == nil || p.Type != corev1.AppArmorProfileTypeUnconfined
}

func TestEveryPodMeetsTheRestrictedStandard(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		for _, p := range pods(r) {
			if found := restricted(p.template.Spec); len(found) > 0 {
				t.Errorf("%s: %s", p.owner, strings.Join(found, "; "))
			}
		}
	})
}

func TestEveryServiceCanWriteToItsTmpAndNowhereElse(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		for _, p := range pods(r) {
			if p.template.Labels[componentLabel] != "backend" {
				continue
			}
			spec := p.template.Spec
			if len(spec.Volumes) != 1 || spec.Volumes[0].EmptyDir == nil || spec.Volumes[0].EmptyDir.SizeLimit == nil {
				t.Errorf("%s: volumes are %+v, want one emptyDir with a limit", p.owner, spec.Volumes)
				continue
			}
			for _, c := range containers(spec) {
				if len(c.VolumeMounts) != 1 || c.VolumeMounts[0].MountPath != "/tmp" || c.VolumeMounts[0].Name != spec.Volumes[0].Name {
					t.Errorf("%s: container %s mounts %+v, want the emptyDir at /tmp", p.owner, c.Name, c.VolumeMounts)
				}
			}
		}
	})
}

// TestTheRestrictedCheckSeesEachViolation breaks a good Pod in one way at a
// time: a check that finds nothing must be known to look.
func TestTheRestrictedCheckSeesEachViolation(t *testing.T) {
	t.Parallel()
	good := pods(render(t, overlays[0].dir()))[0].template.Spec
	tests := []struct {
		name  string
		spoil func(*corev1.PodSpec)
		want  string
	}{
		{"the host's network", func(s *corev1.PodSpec) { s.HostNetwork = true }, "shares a namespace"},
		{"the host's processes", func(s *corev1.PodSpec) { s.HostPID = true }, "shares a namespace"},
		{"a hostPath volume", func(s *corev1.PodSpec) {
			s.Volumes[0].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
		}, "volume tmp"},
		{"no security context at all", func(s *corev1.PodSpec) { s.SecurityContext = nil }, "may run as root"},
		{"root allowed by the container", func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.RunAsNonRoot = new(false) }, "may run as root"},
		{"user 0 in the Pod", func(s *corev1.PodSpec) { s.SecurityContext.RunAsUser = new(int64) }, "it runs as user 0"},
		{"user 0 in the container", func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.RunAsUser = new(int64) }, "app runs as user 0"},
		{"no seccomp profile", func(s *corev1.PodSpec) { s.SecurityContext.SeccompProfile = nil }, "no seccomp"},
		{"an unconfined seccomp profile", func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}
		}, "seccomp profile is Unconfined"},
		{"a sysctl", func(s *corev1.PodSpec) {
			s.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}}
		}, "sysctls"},
		{"a privileged container", func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.Privileged = new(true) }, "privileged"},
		{"privilege escalation by default", func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil }, "escalation"},
		{"capabilities kept", func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.Capabilities.Drop = nil }, "drop ALL"},
		{"a capability added", func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"NET_RAW"}
		}, "adds capability NET_RAW"},
		{"an unmasked /proc", func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.ProcMount = new(corev1.UnmaskedProcMount)
		}, "/proc"},
		{"an SELinux type", func(s *corev1.PodSpec) {
			s.SecurityContext.SELinuxOptions = &corev1.SELinuxOptions{Type: "spc_t"}
		}, "SELinux"},
		{"AppArmor off", func(s *corev1.PodSpec) {
			s.SecurityContext.AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}
		}, "AppArmor"},
		{"a port of the host", func(s *corev1.PodSpec) { s.Containers[0].Ports[0].HostPort = 80 }, "of the host"},
		{"a probe of another host", func(s *corev1.PodSpec) { s.Containers[0].LivenessProbe.HTTPGet.Host = "10.0.0.1" }, "another host"},
		{"a writable root file system", func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.ReadOnlyRootFilesystem = nil }, "can write"},
		{"a bad init container beside a good one", func(s *corev1.PodSpec) {
			s.InitContainers = []corev1.Container{{Name: "init"}}
		}, "container init"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec := good.DeepCopy()
			tt.spoil(spec)
			if found := strings.Join(restricted(*spec), "; "); !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want something about %q", found, tt.want)
			}
		})
	}
}
