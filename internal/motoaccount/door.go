package motoaccount

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Call is what IAM decides about: an action, as policies name it, on a resource.
type Call struct{ Action, Resource string }

// door stands before moto. It notes who calls what, and gives moto's refusals the
// form that each protocol has: moto sends EC2's XML to all.
func (a *Account) door() http.Handler {
	return &httputil.ReverseProxy{
		// The Host is signed.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(a.moto)
			r.Out.Host = r.In.Host
			a.note(r.Out)
		},
		ModifyResponse: refusal,
		// Programs that are ended do not wait for their answers.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

var scope = regexp.MustCompile(`Credential=([^/]+)/[0-9]+/[^/]+/([a-z0-9-]+)/`)

// note remembers a call to a service with a JSON protocol.
func (a *Account) note(r *http.Request) {
	m := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	_, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if m == nil || !ok {
		return
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return // moto will miss it as well
	}
	key, service := m[1], m[2]
	c := Call{Action: service + ":" + operation, Resource: "*"}
	var in struct {
		RegistryID     string `json:"registryId"`
		RepositoryName string `json:"repositoryName"`
		QueueURL       string `json:"QueueUrl"`
	}
	if json.Unmarshal(body, &in) == nil {
		switch {
		case in.RepositoryName != "":
			c.Resource = "arn:aws:ecr:" + Region + ":" + ID + ":repository/" + in.RepositoryName
		case in.QueueURL != "":
			c.Resource = "arn:aws:sqs:" + Region + ":" + ID + ":" + in.QueueURL[strings.LastIndexByte(in.QueueURL, '/')+1:]
			// SQS has no actions for batches: they need the right to the single one.
			c.Action = strings.TrimSuffix(c.Action, "Batch")
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.calls[key], c) {
		a.calls[key] = append(a.calls[key], c)
	}
}

// Calls are those that were made with a key, each once.
func (a *Account) Calls(c Credentials) []Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls[c.AccessKeyID])
}

func refusal(r *http.Response) error {
	if r.StatusCode != http.StatusForbidden {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var e struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
	}
	known := xml.Unmarshal(body, &e) == nil && e.Code != ""
	switch {
	case !known:
	case r.Request.Header.Get("X-Amz-Target") == "": // IAM, STS
		body = bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("<Errors>"), nil), []byte("</Errors>"), nil)
	default:
		if e.Code == "AccessDenied" {
			e.Code = "AccessDeniedException"
		}
		if body, err = json.Marshal(map[string]string{"__type": e.Code, "message": e.Message}); err != nil {
			return err
		}
		r.StatusCode, r.Status = http.StatusBadRequest, "400 Bad Request"
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	}
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	r.ContentLength = int64(len(body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
