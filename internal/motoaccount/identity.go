package motoaccount

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Enforce has moto check signatures and rights from now on, of every key that was
// not made by it as well: only roles' sessions get anything done. What is returned
// ends it.
func (a *Account) Enforce(t testing.TB) (lift func()) {
	t.Helper()
	a.authorizeAfter(t, "0")
	return func() { a.authorizeAfter(t, "Infinity") }
}

// authorizeAfter sets how many calls are let through without a look.
func (a *Account) authorizeAfter(t testing.TB, calls string) {
	t.Helper()
	a.tell(t, "reset-auth", calls)
}

// Empty takes everything out of the account.
func (a *Account) Empty(t testing.TB) {
	t.Helper()
	a.tell(t, "reset", "")
}

// tell speaks to moto itself, not to the account.
func (a *Account) tell(t testing.TB, what, text string) {
	t.Helper()
	res, err := http.Post(a.moto.String()+"/moto-api/"+what, "text/plain", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("tell moto to %s: %s", what, res.Status)
	}
}

// Role makes a role with one policy, or gives the role of that name this policy
// alone, and a session of it. It must not be used while [Account.Enforce] holds.
func (a *Account) Role(t testing.TB, name string, p Policy) Credentials {
	t.Helper()
	const trust = `{"Version":"2012-10-17","Statement":[]}` // moto lets anybody assume it
	a.iam(t, url.Values{"Action": {"CreateRole"}, "RoleName": {name}, "AssumeRolePolicyDocument": {trust}}, http.StatusConflict)
	put := url.Values{"Action": {"DeleteRolePolicy"}, "RoleName": {name}, "PolicyName": {"rights"}}
	if len(p.Statement) > 0 {
		document, err := json.Marshal(p.enforceable())
		if err != nil {
			t.Fatal(err)
		}
		put.Set("Action", "PutRolePolicy")
		put.Set("PolicyDocument", string(document))
	}
	a.iam(t, put, http.StatusNotFound)
	cfg, err := config.LoadDefaultConfig(t.Context(), a.SDK(root)...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(roleARN(name)), RoleSessionName: aws.String("test"),
	})
	if err != nil {
		t.Fatalf("assume role %s: %v", name, err)
	}
	return Credentials{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken}
}

// TrustWith has a role take only those who name an external ID, any of the account.
func (a *Account) TrustWith(t testing.TB, role, externalID string) (arn string) {
	t.Helper()
	document, err := json.Marshal(Policy{Version: "2012-10-17", Statement: []Statement{{
		Effect: "Allow", Principal: map[string]string{"AWS": "*"}, Action: texts{"sts:AssumeRole"},
		Condition: map[string]any{"StringEquals": map[string]string{"sts:ExternalId": externalID}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	a.iam(t, url.Values{"Action": {"UpdateAssumeRolePolicy"}, "RoleName": {role}, "PolicyDocument": {string(document)}})
	return roleARN(role)
}

func roleARN(name string) string { return "arn:aws:iam::" + ID + ":role/" + name }

// iam makes one call to IAM; its other statuses than 200 that are fine are named.
func (a *Account) iam(t testing.TB, form url.Values, fine ...int) {
	t.Helper()
	form.Set("Version", "2010-05-08")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.moto.String(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+root.AccessKeyID+"/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		return
	}
	for _, status := range fine {
		if res.StatusCode == status {
			return
		}
	}
	t.Fatalf("%s: %s\n%s", form.Get("Action"), res.Status, body)
}
