package ecremulator_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

const targetPrefix = "AmazonEC2ContainerRegistry_V20150921."

// FuzzRequests sends any target and body with a good signature, which random
// bytes would never get past.
func FuzzRequests(f *testing.F) {
	for _, op := range []string{"BatchDeleteImage", "BatchGetImage", "CreateRepository", "DescribeImages", "DescribeRepositories", "GetAuthorizationToken", "ListImages", "PutImage", "Nope", ""} {
		for _, body := range []string{
			``, `{}`, `null`, `[]`, `{"repositoryName":"app"}`, `{"repositoryName":7}`, `{"repositoryName":"app","imageIds":null}`,
			`{"repositoryName":"app","imageIds":[{"imageTag":"v1"},{"imageDigest":"sha256:0"},{}]}`,
			`{"repositoryName":"app","imageIds":[null]}`, `{"repositoryName":"app","maxResults":1e99,"nextToken":"AAAA"}`,
			`{"repositoryName":"app","filter":{"tagStatus":"ANY"},"acceptedMediaTypes":[]}`,
			`{"repositoryName":"app","imageManifest":"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[{}]}"}`,
			`{"repositoryName":"app","imageManifest":"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"digest\":\"x\"}}"}`,
		} {
			f.Add(targetPrefix+op, []byte(body))
		}
	}
	e := ecremulator.New()
	must(must(must(e.CreateRegistry(account, region)).CreateRepository("app")).Push(ecremulator.MultiArch("one", "linux/amd64"), "v1"))
	f.Fuzz(func(t *testing.T, target string, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "http://ecr.test/", bytes.NewReader(body))
		req.Header["X-Amz-Target"] = []string{target}
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		sign(e, req, body, "ecr")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, req)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("status is %d: %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("answer is not JSON: %q", w.Body)
		}
	})
}

// FuzzPaths sends any path, query and headers to the other halves.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{
		"/", "/v2", "/v2/", "/v2/app/manifests/v1", "/v2/app/manifests/", "/v2//manifests/x", "/v2/app/tags/list", "/v2/app/blobs/uploads/",
		"/v2/app/blobs/uploads/1", "/v2/blobs/x", "/v2/manifests", "/v2/app/referrers/sha256:0", "/v2/_catalog",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			f.Add(method, path, "n=1&last=x", "Basic QVdTOng=", "application/json", []byte("x"))
		}
	}
	f.Add("POST", "/", "", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=0", "application/x-www-form-urlencoded", []byte("Action=AssumeRole&%zz"))
	f.Add("POST", "/", "", "", "application/x-www-form-urlencoded; charset=utf-8", []byte("Action=AssumeRoleWithWebIdentity&RoleArn=x&RoleSessionName=xx"))
	e := ecremulator.New(ecremulator.WithAnonymousPull())
	must(must(must(e.CreateRegistry(account, region)).CreateRepository("app")).Push(ecremulator.OCIImage("one"), "v1"))
	f.Fuzz(func(t *testing.T, method, path, query, authorization, contentType string, body []byte) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://ecr.test/", bytes.NewReader(body))
		if err != nil {
			t.Skip("not a method")
		}
		req.URL.Path, req.URL.RawQuery = path, query
		req.Header = http.Header{"Authorization": {authorization}, "Content-Type": {contentType}}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, req)
		if w.Code >= 500 {
			t.Errorf("status is %d: %s", w.Code, w.Body)
		}
	})
}

// sign signs as the SDK does.
func sign(e *ecremulator.Emulator, req *http.Request, body []byte, service string) {
	c := e.Credentials()
	sum := sha256.Sum256(body)
	err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey},
		req, hex.EncodeToString(sum[:]), service, region, time.Now())
	if err != nil {
		panic(err)
	}
}
