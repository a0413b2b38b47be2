package metrics

import "github.com/proerror77/nova-staging/plugin/ecr"

// CountECR counts a call of ECR by how it ended.
func (m *Metrics) CountECR(err error) {
	result := "ok"
	switch {
	case ecr.IsThrottled(err):
		result = "throttled"
	case err != nil:
		result = "error"
	}
	m.ECRCalls.WithLabelValues(result).Inc()
}
