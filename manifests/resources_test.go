package manifests_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestEachServiceAsksForWhatTheTableSays(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, o overlay, r *rendered) {
		for name, d := range named[*appsv1.Deployment](r) {
			w := o.resourcesOf(name)
			got := d.Spec.Template.Spec.Containers[0].Resources
			wantAmounts(t, name+" requests", got.Requests, corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse(w.cpuRequest), corev1.ResourceMemory: resource.MustParse(w.memoryRequest),
			})
			wantAmounts(t, name+" limits", got.Limits, corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse(w.cpuLimit), corev1.ResourceMemory: resource.MustParse(w.memoryLimit),
			})
		}
	})
}

func wantAmounts(t *testing.T, what string, got, want corev1.ResourceList) {
	t.Helper()
	for name := range merge(got, want) {
		g, w := got[name], want[name]
		if g.Cmp(w) != 0 {
			t.Errorf("%s: %s is %s, want %s", what, name, &g, &w)
		}
	}
}

func merge(lists ...corev1.ResourceList) corev1.ResourceList {
	all := corev1.ResourceList{}
	for _, l := range lists {
		for name, q := range l {
			all[name] = q
		}
	}
	return all
}

// jobPods is the room that every quota leaves for Jobs: this many Pods at a
// time, each of at most jobPod.
const jobPods = 2

var jobPod = corev1.ResourceList{
	corev1.ResourcePods:           resource.MustParse("1"),
	corev1.ResourceRequestsCPU:    resource.MustParse("200m"),
	corev1.ResourceRequestsMemory: resource.MustParse("256Mi"),
	corev1.ResourceLimitsCPU:      resource.MustParse("1"),
	corev1.ResourceLimitsMemory:   resource.MustParse("1Gi"),
}

// TestTheQuotaIsTheWorstMomentOfARolloutAndRoomForJobs computes the quota from
// the render. It must be neither smaller, or rollouts stand still, nor larger,
// or it no longer bounds anything.
func TestTheQuotaIsTheWorstMomentOfARolloutAndRoomForJobs(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		defaults := one[*corev1.LimitRange](t, r)
		need := corev1.ResourceList{}
		for _, d := range all[*appsv1.Deployment](r) {
			add(need, charge(d.Spec.Template.Spec, defaults), peak(d))
		}
		add(need, jobPod, jobPods)
		hard := one[*corev1.ResourceQuota](t, r).Spec.Hard
		for name, want := range need {
			if got := hard[name]; got.Cmp(want) != 0 {
				t.Errorf("%s is %s, want %s", name, &got, &want)
			}
		}
		for _, name := range []corev1.ResourceName{corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers} {
			if got, ok := hard[name]; !ok || !got.IsZero() {
				t.Errorf("%s is not forbidden", name)
			}
		}
	})
}

// peak is how many Pods of a Deployment the quota counts at the worst moment of
// a rollout. With maxSurge 1 and maxUnavailable 0 a new Pod is made when an old
// one begins to stop, not when it is gone; the quota counts it until its grace
// period is over. If new Pods are ready sooner than that, all old ones are still
// stopping when the last new one starts.
func peak(d *appsv1.Deployment) int64 { return 2 * int64(*d.Spec.Replicas) }

func TestJobsFitInTheRoomThatTheQuotaLeaves(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, _ overlay, r *rendered) {
		defaults := one[*corev1.LimitRange](t, r)
		type job struct {
			name string
			spec batchv1.JobSpec
		}
		jobs := []job{{"a Job that says nothing of what it needs", batchv1.JobSpec{
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "it"}}}},
		}}}
		for _, j := range all[*batchv1.Job](r) {
			jobs = append(jobs, job{"Job " + j.Name, j.Spec})
		}
		for _, j := range all[*batchv1.CronJob](r) {
			jobs = append(jobs, job{"CronJob " + j.Name, j.Spec.JobTemplate.Spec})
		}
		count := int64(0)
		for _, j := range jobs {
			n := int64(1)
			if j.spec.Parallelism != nil {
				n = int64(*j.spec.Parallelism)
			}
			count += n
			for name, q := range charge(j.spec.Template.Spec, defaults) {
				if limit := jobPod[name]; q.Cmp(limit) > 0 {
					t.Errorf("%s: %s is %s, the quota leaves %s", j.name, name, &q, &limit)
				}
			}
		}
		if count > jobPods {
			t.Errorf("%d Pods of Jobs may run at once, the quota leaves room for %d", count, jobPods)
		}
	})
}

// charge is what the quota counts for one Pod, after the LimitRange has filled
// in what its containers leave out.
func charge(spec corev1.PodSpec, defaults *corev1.LimitRange) corev1.ResourceList {
	sum := corev1.ResourceList{corev1.ResourcePods: resource.MustParse("1")}
	for _, c := range spec.Containers {
		add(sum, containerCharge(c, defaults), 1)
	}
	for _, c := range spec.InitContainers {
		own := containerCharge(c, defaults)
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(sum, own, 1) // a sidecar stays
			continue
		}
		for name, q := range own { // the others run before, one at a time
			if have := sum[name]; q.Cmp(have) > 0 {
				sum[name] = q
			}
		}
	}
	return sum
}

func containerCharge(c corev1.Container, defaults *corev1.LimitRange) corev1.ResourceList {
	requests, limits := c.Resources.Requests, c.Resources.Limits
	for _, item := range defaults.Spec.Limits {
		if item.Type == corev1.LimitTypeContainer {
			// As the API server does it: a limit that is given is also the request.
			requests = merge(item.DefaultRequest, limits, requests)
			limits = merge(item.Default, limits)
		}
	}
	sum := corev1.ResourceList{}
	for name, q := range requests {
		sum[corev1.DefaultResourceRequestsPrefix+name] = q.DeepCopy()
	}
	for name, q := range limits {
		sum["limits."+name] = q.DeepCopy()
	}
	return sum
}

// add puts n times list on sum.
func add(sum, list corev1.ResourceList, n int64) {
	for name, q := range list {
		total := sum[name].DeepCopy()
		for range n {
			total.Add(q)
		}
		sum[name] = total
	}
}
