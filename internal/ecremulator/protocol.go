package ecremulator

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	targetPrefix = "AmazonEC2ContainerRegistry_V20150921."
	jsonType     = "application/x-amz-json-1.1"
	// A large answer waits a little. Go's SDK closes a request's body when the
	// answer begins, and if its transport is then still at the end of writing
	// that body, it drops the connection with the answer half read
	// (aws-sdk-go-v2 issue 2737). No network is that fast, but loopback is,
	// once in some thousand calls. What fits the transport's buffer is safe.
	largeAnswer = 3 << 10
	readTime    = 5 * time.Millisecond
	// maxBody is larger than any request to the API: a manifest may have 4 MiB.
	maxBody = 8 << 20
)

// request is one call of an API while it is answered.
type request struct {
	http   *http.Request
	body   []byte
	id     string
	caller *credential
	region string // of the credential scope
	call   *Call

	fail      func(*apiError) response // words an error as the protocol does
	iamAction string                   // if it is not the operation's name
	emptyPage bool                     // by a fault
}

// action is the IAM action, without its service, that the call needs.
func (r *request) action() string {
	if r.iamAction != "" {
		return r.iamAction
	}
	return r.call.Operation
}

// apiError is an error of the service, not of the emulator.
type apiError struct {
	status  int
	code    string
	message string
}

func clientError(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// constraint is how ECR words a broken constraint of its model.
func constraint(parameter, rule string) *apiError {
	return clientError("InvalidParameterException",
		"Invalid parameter at '%s' failed to satisfy constraint: '%s'", parameter, rule)
}

// response is a whole answer, so that a fault can spoil it before it is sent.
type response struct {
	status int
	header http.Header
	body   []byte
	cut    bool // half the body is sent, then the connection is closed

	delegate http.Handler // answers instead, if set
}

// operation answers one operation with a value to encode.
type operation func(*Emulator, *request) (any, *apiError)

// operations is filled at start because its functions refer to it.
var operations map[string]operation

func init() {
	operations = map[string]operation{
		"BatchDeleteImage":          decoded((*Emulator).batchDeleteImage),
		"BatchGetImage":             decoded((*Emulator).batchGetImage),
		"CreateRepository":          decoded((*Emulator).createRepository),
		"DescribeImages":            decoded((*Emulator).describeImages),
		"DescribeImageScanFindings": decoded((*Emulator).describeImageScanFindings),
		"DescribeRepositories":      decoded((*Emulator).describeRepositories),
		"GetAuthorizationToken":     decoded((*Emulator).getAuthorizationToken),
		"ListImages":                decoded((*Emulator).listImages),
		"PutImage":                  decoded((*Emulator).putImage),
	}
}

// operationNames lists what Fault.Op may be.
func operationNames() []string {
	names := slices.Collect(maps.Keys(operations))
	names = append(names, "AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity")
	names = append(names, ociOperations...)
	names = append(names, sqsOperationNames()...)
	slices.Sort(names)
	return names
}

// decoded wraps a typed operation with the decoding of its input.
func decoded[In any](f func(*Emulator, *request, *In) (any, *apiError)) operation {
	return func(e *Emulator, r *request) (any, *apiError) {
		in := new(In)
		if len(r.body) > 0 {
			if err := json.Unmarshal(r.body, in); err != nil {
				return nil, clientError("SerializationException", "")
			}
		}
		return f(e, r, in)
	}
}

// serve answers one request of any protocol and records it.
func (e *Emulator) serve(w http.ResponseWriter, hr *http.Request, service string, answer func(*request) response) {
	e.serveStream(w, hr, service, func(r *request) response {
		body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
		r.body = body
		if err != nil {
			return r.fail(&apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", ""})
		}
		if !wait(hr.Context(), e.Latency()) {
			return response{}
		}
		return answer(r)
	})
}

// serveStream is serve for an answer that reads the body itself.
func (e *Emulator) serveStream(w http.ResponseWriter, hr *http.Request, service string, answer func(*request) response) {
	r := &request{http: hr, id: requestID(), call: &Call{Time: time.Now(), Service: service, UserAgent: hr.UserAgent()}}
	r.fail = func(err *apiError) response { return jsonError(r, err) }
	e.calls.begin()
	defer func() { e.calls.end(*r.call) }()
	e.reply(w, r, answer(r))
}

// answerAPI answers a call of the ECR API.
func (e *Emulator) answerAPI(r *request) response {
	target := r.http.Header.Get("X-Amz-Target")
	name, ours := strings.CutPrefix(target, targetPrefix)
	r.call.Operation = name
	noteIdentifiers(r)
	op, ok := operations[name]
	if r.http.Method != http.MethodPost || !ours || !ok {
		return r.fail(clientError("UnknownOperationException", ""))
	}
	if err := e.authenticate(r, "ecr"); err != nil {
		return r.fail(err)
	}
	return e.spoiled(r, func() response {
		out, err := op(e, r)
		if err != nil {
			return r.fail(err)
		}
		return response{status: http.StatusOK, header: http.Header{"Content-Type": {jsonType}}, body: marshal(out)}
	})
}

// coral are the errors of the framework that AWS's services have in common. They
// have its namespace in the JSON protocols, where the body alone names an error.
var coral = map[string]bool{
	"AccessDeniedException": true, "ExpiredTokenException": true, "IncompleteSignatureException": true,
	"InvalidSignatureException": true, "MissingAuthenticationTokenException": true, "SerializationException": true,
	"ThrottlingException": true, "UnknownOperationException": true, "UnrecognizedClientException": true,
}

// errorBody words an error as the JSON protocols do. namespace is that of the
// service's own errors. IAM spells the message of its refusals with a capital.
func errorBody(namespace string, err *apiError) []byte {
	if coral[err.code] {
		namespace = "com.amazon.coral.service#"
	}
	body := map[string]string{"__type": namespace + err.code}
	switch {
	case err.message == "":
	case err.code == "AccessDeniedException":
		body["Message"] = err.message
	default:
		body["message"] = err.message
	}
	return marshal(body)
}

func jsonError(r *request, err *apiError) response {
	r.call.Error = err.code
	return response{status: err.status, header: http.Header{"Content-Type": {jsonType}}, body: errorBody("", err)}
}

func (e *Emulator) reply(w http.ResponseWriter, r *request, res response) {
	if res.status == 0 {
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	if res.delegate != nil {
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK, cut: res.cut}
		defer func() { r.call.Status, r.call.Bytes = sw.status, sw.sent }()
		res.delegate.ServeHTTP(sw, r.http)
		return
	}
	if len(res.body) > largeAnswer {
		wait(r.http.Context(), readTime)
	}
	r.call.Status = res.status
	h := w.Header()
	maps.Copy(h, res.header)
	h.Set("x-amzn-RequestId", r.id)
	h.Set("Date", e.serviceTime().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(res.body)))
	w.WriteHeader(res.status)
	if r.http.Method == http.MethodHead {
		return
	}
	if res.cut {
		r.call.Bytes = int64(len(res.body) / 2)
		_, _ = w.Write(res.body[:len(res.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	r.call.Bytes = int64(len(res.body))
	_, _ = w.Write(res.body) // a client that has gone away needs no answer
}

// noteIdentifiers fills the record of the call from its body, whether or not
// the call gets any further.
func noteIdentifiers(r *request) {
	var in struct {
		RegistryID     string            `json:"registryId"`
		RepositoryName string            `json:"repositoryName"`
		ImageIDs       []json.RawMessage `json:"imageIds"`
	}
	if json.Unmarshal(r.body, &in) != nil {
		return
	}
	r.call.Account = in.RegistryID
	r.call.Repository = in.RepositoryName
	r.call.IDs = len(in.ImageIDs)
}

func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// epoch is a time as the protocol has it: seconds, with a fraction.
type epoch time.Time

func (t epoch) MarshalJSON() ([]byte, error) {
	ms := time.Time(t).UnixMilli()
	return strconv.AppendFloat(nil, float64(ms)/1000, 'f', -1, 64), nil
}

func optional(t time.Time) *epoch {
	if t.IsZero() {
		return nil
	}
	v := epoch(t)
	return &v
}
