package ecremulator

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ociOperations are the names under which calls to /v2/ are recorded and can
// be made to fail.
var ociOperations = []string{"Blob", "DeleteManifest", "GetManifest", "ListReferrers", "ListTags", "Ping", "PutManifest"}

// hostRE matches the names of a registry, also the FIPS and dual-stack ones.
var hostRE = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$`)

// ociRequest is a parsed path below /v2/.
type ociRequest struct {
	*request
	w          http.ResponseWriter
	registry   *Registry
	repository string
	reference  string
}

// serveRegistry answers /v2/. Manifests, tags and referrers come straight from
// the model, which is the only place they are kept; the upload and download of
// blobs is go-containerregistry's.
func (e *Emulator) serveRegistry(w http.ResponseWriter, hr *http.Request) {
	o := &ociRequest{w: w, registry: e.registryFor(hr)}
	kind := o.parse(hr.URL.Path)
	serve := e.serve
	if kind == "blobs" {
		serve = e.serveStream
	}
	serve(w, hr, "oci", func(r *request) response {
		o.request = r
		r.fail = func(err *apiError) response { return o.fail(err) }
		r.region = o.registry.region
		r.call.Account, r.call.Region, r.call.Repository = o.registry.account, r.region, o.repository
		var answer func() response
		r.call.Operation, r.iamAction, answer = e.route(o, kind)
		if err := e.authenticatePassword(o); err != nil {
			return r.fail(err)
		}
		return e.spoiled(r, func() response {
			if o.repository != "" && r.caller != nil {
				if err := e.authorize(r, o.registry.account, o.repository); err != nil {
					return r.fail(err)
				}
			}
			return answer()
		})
	})
}

// registryFor finds the registry that a host names. A node's mirror passes on
// the host it stands in for as ns. Any other host means the first registry.
func (e *Emulator) registryFor(hr *http.Request) *Registry {
	host := hr.URL.Query().Get("ns")
	if host == "" {
		host, _, _ = strings.Cut(hr.Host, ":")
	}
	if m := hostRE.FindStringSubmatch(host); m != nil {
		if r := e.registry(m[1], m[2]); r != nil {
			return r
		}
		return &Registry{emulator: e, account: m[1], region: m[2]}
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.first != nil {
		return e.first
	}
	return &Registry{emulator: e, account: DefaultAccount, region: "us-east-1"}
}

// parse splits /v2/<repository>/<kind>/<reference>, where a reference below
// blobs may be uploads/<id>.
func (o *ociRequest) parse(path string) (kind string) {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(path, "/v2"), "/"), "/")
	for i := len(parts) - 2; i > 0; i-- {
		if slices.Contains([]string{"manifests", "blobs", "tags", "referrers"}, parts[i]) {
			o.repository = strings.Join(parts[:i], "/")
			o.reference = strings.Join(parts[i+1:], "/")
			return parts[i]
		}
	}
	return ""
}

// route names the operation, the IAM action it needs, and what answers it.
func (e *Emulator) route(o *ociRequest, kind string) (operation, action string, answer func() response) {
	method := o.http.Method
	read := method == http.MethodGet || method == http.MethodHead
	switch {
	case kind == "manifests" && read:
		return "GetManifest", "BatchGetImage", o.with(o.getManifest)
	case kind == "manifests" && method == http.MethodPut:
		return "PutManifest", "PutImage", o.with(o.putManifest)
	case kind == "manifests" && method == http.MethodDelete:
		return "DeleteManifest", "BatchDeleteImage", o.with(o.deleteManifest)
	case kind == "tags" && o.reference == "list" && read:
		return "ListTags", "ListImages", o.with(o.listTags)
	case kind == "referrers" && read:
		return "ListReferrers", "ListImageReferrers", o.with(o.listReferrers)
	case kind == "blobs" && method == http.MethodHead:
		return "Blob", "BatchCheckLayerAvailability", o.with(o.blob)
	case kind == "blobs" && read:
		return "Blob", "GetDownloadUrlForLayer", o.with(o.blob)
	case kind == "blobs":
		return "Blob", "InitiateLayerUpload", o.with(o.blob)
	case strings.Trim(o.http.URL.Path, "/") == "v2" && read:
		return "Ping", "GetAuthorizationToken", func() response {
			return response{status: http.StatusOK, header: ociHeader()}
		}
	}
	return "", "", func() response { return o.fail(&apiError{http.StatusNotFound, "NOT_FOUND", "404 page not found"}) }
}

// with finds the repository first: pushing does not create one.
func (o *ociRequest) with(answer func(*Repository) response) func() response {
	return func() response {
		if repo := o.registry.Repository(o.repository); repo != nil {
			return answer(repo)
		}
		return o.fail(repositoryNotFound(o.repository, o.registry.account))
	}
}

func ociHeader() http.Header {
	return http.Header{"Docker-Distribution-Api-Version": {"registry/2.0"}}
}

func (o *ociRequest) getManifest(repo *Repository) response {
	repo.mu.RLock()
	defer repo.mu.RUnlock()
	img := repo.find(o.reference)
	if img == nil || img.status != StatusActive || !accepts(o.http.Header.Values("Accept"), img.mediaType) {
		return o.fail(clientError("ImageNotFoundException", "Requested image not found"))
	}
	if o.http.Method == http.MethodGet {
		img.recordPull(repo.registry.emulator.Now())
	}
	h := ociHeader()
	h.Set("Content-Type", img.mediaType)
	h.Set("Docker-Content-Digest", img.digest)
	return response{status: http.StatusOK, header: h, body: img.manifest}
}

// accepts tells whether an Accept header admits a media type. None admits all.
func accepts(accept []string, mediaType string) bool {
	if len(accept) == 0 {
		return true
	}
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			item, _, _ = strings.Cut(item, ";")
			if item = strings.TrimSpace(item); item == mediaType || item == "*/*" || item == "application/*" {
				return true
			}
		}
	}
	return false
}

func (o *ociRequest) putManifest(repo *Repository) response {
	digest := digestOf(o.body)
	tag := ""
	switch {
	case strings.Contains(o.reference, ":"):
		if o.reference != digest {
			return o.fail(&apiError{http.StatusBadRequest, "DIGEST_INVALID", "The provided digest does not match the manifest"})
		}
	case !tagRE.MatchString(o.reference):
		return o.fail(&apiError{http.StatusBadRequest, "TAG_INVALID", "Invalid tag " + strconv.Quote(o.reference)})
	default:
		tag = o.reference
	}
	img, _, err := repo.putTagged(repo.registry.emulator.Now(), o.body, o.http.Header.Get("Content-Type"), tag)
	if err != nil {
		return o.fail(err)
	}
	h := ociHeader()
	h.Set("Location", "/v2/"+repo.name+"/manifests/"+digest)
	h.Set("Docker-Content-Digest", digest)
	if img.subject != "" {
		h.Set("OCI-Subject", img.subject)
	}
	return response{status: http.StatusCreated, header: h}
}

func (o *ociRequest) deleteManifest(repo *Repository) response {
	id := imageID{Tag: &o.reference}
	if strings.Contains(o.reference, ":") {
		id = imageID{Digest: &o.reference}
	}
	repo.mu.Lock()
	defer repo.mu.Unlock()
	_, fail := repo.deleteByID(id)
	switch {
	case fail == nil:
		return response{status: http.StatusAccepted, header: ociHeader()}
	case fail.FailureCode == "ImageReferencedByManifestList":
		return o.fail(&apiError{http.StatusConflict, "DENIED", fail.FailureReason})
	}
	return o.fail(clientError("ImageNotFoundException", "%s", fail.FailureReason))
}

func (o *ociRequest) listTags(repo *Repository) response {
	q := o.http.URL.Query()
	n := maxPage
	if text := q.Get("n"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			return o.fail(constraint("maxResults", "Member must have value greater than or equal to 1"))
		}
		if n > maxPage {
			return o.fail(constraint("maxResults", "Member must have value less than or equal to 1000"))
		}
	}
	repo.mu.RLock()
	tags := make([]string, 0, len(repo.tags))
	for tag := range repo.tags {
		tags = append(tags, tag)
	}
	repo.mu.RUnlock()
	slices.Sort(tags)
	last := q.Get("last")
	tags = tags[sort.Search(len(tags), func(i int) bool { return tags[i] > last }):]
	h := ociHeader()
	h.Set("Content-Type", "application/json")
	if len(tags) > n {
		tags = tags[:n]
		h.Set("Link", fmt.Sprintf(`</v2/%s/tags/list?n=%d&last=%s>; rel="next"`, repo.name, n, url.QueryEscape(tags[n-1])))
	}
	return response{status: http.StatusOK, header: h, body: marshal(struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{repo.name, tags})}
}

func (o *ociRequest) listReferrers(repo *Repository) response {
	only := o.http.URL.Query().Get("artifactType")
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	repo.mu.RLock()
	for _, i := range repo.order {
		if i.subject != o.reference || only != "" && i.artifactType != only {
			continue
		}
		d := describe(i.manifest, types.MediaType(i.mediaType))
		d.ArtifactType = i.artifactType
		index.Manifests = append(index.Manifests, d)
	}
	repo.mu.RUnlock()
	h := ociHeader()
	h.Set("Content-Type", string(types.OCIImageIndex))
	if only != "" {
		h.Set("OCI-Filters-Applied", "artifactType")
	}
	return response{status: http.StatusOK, header: h, body: marshal(index)}
}

func (o *ociRequest) blob(repo *Repository) response {
	if !wait(o.http.Context(), repo.registry.emulator.Latency()) {
		return response{}
	}
	return response{status: http.StatusOK, delegate: repo.transfer}
}

// fail words an error of the API as the registry protocol does.
func (o *ociRequest) fail(err *apiError) response {
	as := *err
	switch err.code {
	case "RepositoryNotFoundException":
		as.status, as.code = http.StatusNotFound, "NAME_UNKNOWN"
	case "ImageNotFoundException":
		as.status, as.code = http.StatusNotFound, "MANIFEST_UNKNOWN"
	case "ImageTagAlreadyExistsException":
		as.status, as.code = http.StatusBadRequest, "TAG_INVALID"
	case "LayersNotFoundException", "ReferencedImagesNotFoundException":
		as.status, as.code = http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"
	case "InvalidParameterException":
		as.status, as.code = http.StatusMethodNotAllowed, "UNSUPPORTED"
		if strings.Contains(err.message, cacheIndexRule) {
			as.status = http.StatusBadRequest
		}
	case "ThrottlingException":
		as.status, as.code, as.message = http.StatusTooManyRequests, "TOOMANYREQUESTS", "Rate exceeded"
	case "ExpiredTokenException":
		as.status, as.code, as.message = http.StatusForbidden, "DENIED", "Your authorization token has expired. Reauthenticate and try again."
	case "AccessDeniedException", "InvalidSignatureException":
		as.status, as.code = http.StatusForbidden, "DENIED"
	case "UnrecognizedClientException":
		return o.challenge()
	}
	o.call.Error = as.code
	h := ociHeader()
	h.Set("Content-Type", "application/json; charset=utf-8")
	type item struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	return response{status: as.status, header: h, body: marshal(map[string][]item{"errors": {{as.code, as.message}}})}
}

// challenge asks for a password. ECR answers so in plain text.
func (o *ociRequest) challenge() response {
	o.call.Error = "UNAUTHORIZED"
	h := ociHeader()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("WWW-Authenticate", `Basic realm="https://`+o.registry.Host()+`/",service="ecr.amazonaws.com"`)
	return response{status: http.StatusUnauthorized, header: h, body: []byte("Not Authorized\n")}
}

// authenticatePassword checks a password of GetAuthorizationToken.
func (e *Emulator) authenticatePassword(o *ociRequest) *apiError {
	_, secret, ok := o.http.BasicAuth()
	if !ok {
		read := o.http.Method == http.MethodGet || o.http.Method == http.MethodHead
		// Not /v2/ itself: Docker's daemon learns there whether a push needs its password.
		if e.anonymous && read && o.repository != "" {
			return nil
		}
		return errUnknownKey()
	}
	e.mu.RLock()
	p, known := e.passwords[secret]
	e.mu.RUnlock()
	if !known {
		return errUnknownKey()
	}
	o.caller, o.call.AccessKeyID = p.caller, p.caller.AccessKeyID
	if !e.Now().Before(p.expires) {
		return errExpiredToken()
	}
	return nil
}
