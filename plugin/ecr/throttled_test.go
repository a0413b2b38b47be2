package ecr

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func TestThrottlingIsToldFromOtherFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   bool
	}{
		"ThrottlingException":          {400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, true},
		"TooManyRequestsException":     {400, `{"__type":"TooManyRequestsException"}`, true},
		"429 without a body":           {429, "", true},
		"429 with a proxy's page":      {429, "<html>slow down</html>", true},
		"AccessDeniedException":        {400, `{"__type":"AccessDeniedException"}`, false},
		"ServerException":              {500, `{"__type":"ServerException"}`, false},
		"an answer that is no listing": {200, `{}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}))
			t.Cleanup(s.Close)
			client := connect(t, s.URL, static(ecremulator.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "s"}), quick(), Options{Attempts: 1})
			err := client.List(t.Context(), auth, func([]Image) error { return nil })
			if err == nil || IsThrottled(err) != c.want {
				t.Errorf("throttled: %t, want %t: %v", IsThrottled(err), c.want, err)
			}
		})
	}
}

// A poller that is throttled asks ECR less often, which helps nothing against STS.
func TestThatSTSThrottlesIsNoThrottlingByECR(t *testing.T) {
	t.Parallel()
	err := &credentialsError{err: &smithy.GenericAPIError{Code: "ThrottlingException"}}
	if IsThrottled(failure("DescribeImages", auth, err, 1, nil)) {
		t.Error("throttled")
	}
}
