package ecremulator

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	formType     = "application/x-www-form-urlencoded"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"
)

var sessionNameRE = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

type stsCredentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type assumedRoleUser struct {
	Arn           string
	AssumedRoleID string `xml:"AssumedRoleId"`
}

type assumeRoleResult struct {
	XMLName         xml.Name
	Credentials     stsCredentials
	AssumedRoleUser assumedRoleUser
	Subject         string `xml:"SubjectFromWebIdentityToken,omitempty"`
}

type callerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

// stsErrors are the codes and statuses that STS has for what the JSON
// protocol of ECR calls otherwise.
var stsErrors = map[string]apiError{
	"AccessDeniedException":               {http.StatusForbidden, "AccessDenied", ""},
	"ExpiredTokenException":               {http.StatusForbidden, "ExpiredToken", ""},
	"IncompleteSignatureException":        {http.StatusBadRequest, "IncompleteSignature", ""},
	"InvalidSignatureException":           {http.StatusForbidden, "SignatureDoesNotMatch", ""},
	"MissingAuthenticationTokenException": {http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"},
	"ServerException":                     {http.StatusInternalServerError, "InternalFailure", ""},
	"ServiceUnavailableException":         {http.StatusServiceUnavailable, "ServiceUnavailable", ""},
	"ThrottlingException":                 {http.StatusBadRequest, "Throttling", ""},
	"UnrecognizedClientException":         {http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid"},
}

// answerSTS answers the query protocol of STS, version 2011-06-15.
func (e *Emulator) answerSTS(r *request) response {
	r.fail = func(err *apiError) response { return xmlError(r, err) }
	form, err := url.ParseQuery(string(r.body))
	if err != nil {
		return r.fail(clientError("MalformedInput", ""))
	}
	r.call.Operation = form.Get("Action")
	var answer func(*request, url.Values) (any, *apiError)
	switch r.call.Operation {
	case "AssumeRole":
		answer = e.assumeRole
	case "AssumeRoleWithWebIdentity":
		answer = e.assumeRoleWithWebIdentity
	case "GetCallerIdentity":
		answer = e.getCallerIdentity
	default:
		return r.fail(clientError("InvalidAction", "Could not find operation %s for version %s", r.call.Operation, form.Get("Version")))
	}
	// The web identity's token stands in for a signature.
	if r.call.Operation != "AssumeRoleWithWebIdentity" {
		if err := e.authenticate(r, "sts"); err != nil {
			return r.fail(err)
		}
	} else {
		r.caller = &credential{path: "web-identity"}
	}
	return e.spoiled(r, func() response {
		out, err := answer(r, form)
		if err != nil {
			return r.fail(err)
		}
		return xmlResponse(r, out)
	})
}

func xmlResponse(r *request, result any) response {
	type metadata struct {
		RequestID string `xml:"RequestId"`
	}
	out := struct {
		XMLName  xml.Name
		Result   any
		Metadata metadata `xml:"ResponseMetadata"`
	}{xml.Name{Space: stsNamespace, Local: r.call.Operation + "Response"}, result, metadata{r.id}}
	return response{status: http.StatusOK, header: http.Header{"Content-Type": {"text/xml"}}, body: Must(xml.Marshal(out))}
}

func xmlError(r *request, err *apiError) response {
	if as, ok := stsErrors[err.code]; ok {
		if as.message == "" {
			as.message = err.message
		}
		err = &as
	}
	r.call.Error = err.code
	kind := "Sender"
	if err.status >= 500 {
		kind = "Receiver"
	}
	type detail struct{ Type, Code, Message string }
	out := struct {
		XMLName   xml.Name
		Error     detail
		RequestID string `xml:"RequestId"`
	}{xml.Name{Space: stsNamespace, Local: "ErrorResponse"}, detail{kind, err.code, err.message}, r.id}
	return response{status: err.status, header: http.Header{"Content-Type": {"text/xml"}}, body: Must(xml.Marshal(out))}
}

func (e *Emulator) assumeRole(r *request, form url.Values) (any, *apiError) {
	arn := form.Get("RoleArn")
	d, err := sessionDuration(form)
	if err != nil {
		return nil, err
	}
	role := e.role(arn)
	if role == nil || !e.trusts(role, r.caller, r.region, form.Get("ExternalId")) {
		// The same for a role that does not exist, so that none can be probed.
		return nil, clientError("AccessDeniedException", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
			e.arnOf(r.caller, r.region), arn)
	}
	if r.caller.role != "" && d > time.Hour {
		return nil, clientError("ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	return e.assumed(role, form, d)
}

func (e *Emulator) assumeRoleWithWebIdentity(_ *request, form url.Values) (any, *apiError) {
	d, err := sessionDuration(form)
	if err != nil {
		return nil, err
	}
	role := e.role(form.Get("RoleArn"))
	if role == nil || role.webIdentity == "" {
		return nil, &apiError{http.StatusForbidden, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"}
	}
	if form.Get("WebIdentityToken") != role.webIdentity {
		return nil, clientError("InvalidIdentityToken", "No OpenIDConnect provider found in your account for the token")
	}
	return e.assumed(role, form, d)
}

func (e *Emulator) assumed(role *Role, form url.Values, d time.Duration) (any, *apiError) {
	if d > role.longest {
		return nil, clientError("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	name := form.Get("RoleSessionName")
	c := e.session(role, name, d)
	out := assumeRoleResult{
		XMLName: xml.Name{Local: form.Get("Action") + "Result"},
		Credentials: stsCredentials{
			AccessKeyID:     c.AccessKeyID,
			SecretAccessKey: c.SecretAccessKey,
			SessionToken:    c.SessionToken,
			Expiration:      c.Expires.Format(time.RFC3339),
		},
		AssumedRoleUser: assumedRoleUser{Arn: e.arnOf(c, ""), AssumedRoleID: userID(c) + ":" + name},
	}
	if form.Get("Action") == "AssumeRoleWithWebIdentity" {
		out.Subject = "system:serviceaccount:emulator:" + role.name
	}
	return out, nil
}

func sessionDuration(form url.Values) (time.Duration, *apiError) {
	if name := form.Get("RoleSessionName"); !sessionNameRE.MatchString(name) {
		return 0, clientError("ValidationError",
			"1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", name)
	}
	text := form.Get("DurationSeconds")
	if text == "" {
		return time.Hour, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 900 || n > 43200 {
		return 0, clientError("ValidationError",
			"1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200", text)
	}
	return time.Duration(n) * time.Second, nil
}

func (e *Emulator) getCallerIdentity(r *request, _ url.Values) (any, *apiError) {
	id := userID(r.caller)
	if r.caller.role != "" {
		id += ":" + sessionOf(r.caller)
	}
	return callerIdentityResult{
		XMLName: xml.Name{Local: "GetCallerIdentityResult"},
		Arn:     e.arnOf(r.caller, r.region),
		UserID:  id,
		Account: e.accountOf(r.caller),
	}, nil
}

// userID makes the unique ID of a user or role, which only has to be stable.
func userID(c *credential) string {
	prefix, of := "AIDA", c.AccessKeyID
	if c.role != "" {
		prefix, of = "AROA", c.role
	}
	return prefix + fmt.Sprintf("%X", digestOf([]byte(of))[7:17])[:17]
}

func sessionOf(c *credential) string {
	return c.path[strings.LastIndexByte(c.path, '/')+1:]
}
