package ecremulator

import "slices"

// Allow lets principals of other accounts read and write the registry, as
// repository policies do. Each is an account of twelve digits, the ARN of a
// user or of an assumed role's session, or the ARN of a role.
func (r *Registry) Allow(principals ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.allowed = append(r.allowed, principals...)
}

// Denial refuses calls with AccessDeniedException. Empty fields match all.
type Denial struct {
	Principal  string // ARN of a user, role or role session, or an account
	Operation  string // such as DescribeImages; a pull is BatchGetImage and GetDownloadUrlForLayer
	Account    string // of the registry
	Repository string
}

// Deny refuses the calls that d describes until the returned function is
// called.
func (e *Emulator) Deny(d Denial) (lift func()) {
	p := &d
	e.mu.Lock()
	defer e.mu.Unlock()
	e.denials = append(slices.Clone(e.denials), p) // readers hold the old slice
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.denials = slices.DeleteFunc(slices.Clone(e.denials), func(q *Denial) bool { return q == p })
	}
}

func (e *Emulator) isPrincipal(c *credential, region, principal string) bool {
	return principal == e.accountOf(c) || principal == e.arnOf(c, region) || c.role != "" && principal == c.role
}

// authorize decides whether the caller may use a repository of an account, or
// the whole registry if repository is empty. A registry that does not exist
// has no policy that lets strangers in, so theirs is the same refusal.
func (e *Emulator) authorize(r *request, account, repository string) *apiError {
	e.mu.RLock()
	denials := e.denials
	e.mu.RUnlock()
	for _, d := range denials {
		if (d.Principal == "" || e.isPrincipal(r.caller, r.region, d.Principal)) &&
			(d.Operation == "" || d.Operation == r.action()) &&
			(d.Account == "" || d.Account == account) &&
			(d.Repository == "" || d.Repository == repository) {
			return e.refusal(r, account, repository, "identity-based")
		}
	}
	if e.open || e.accountOf(r.caller) == account {
		return nil
	}
	if reg := e.registry(account, r.region); reg != nil {
		reg.mu.RLock()
		defer reg.mu.RUnlock()
		for _, p := range reg.allowed {
			if e.isPrincipal(r.caller, r.region, p) {
				return nil
			}
		}
	}
	return e.refusal(r, account, repository, "resource-based")
}

// refusal is worded as IAM does, for a repository, a whole registry, or, for
// an action that knows no resources, everything.
func (e *Emulator) refusal(r *request, account, repository, policy string) *apiError {
	action := "ecr:" + r.action()
	resource := "*"
	switch {
	case r.action() == "GetAuthorizationToken":
	case repository == "":
		repository = "*"
		fallthrough
	default:
		resource = (&Registry{account: account, region: r.region}).arn(repository)
	}
	return clientError("AccessDeniedException",
		"User: %s is not authorized to perform: %s on resource: %s because no %s policy allows the %s action",
		e.arnOf(r.caller, r.region), action, resource, policy, action)
}

// lookup returns the repository that a call is about, if the caller may.
func (e *Emulator) lookup(r *request, registryID, repository string) (*Repository, *apiError) {
	if repository == "" {
		return nil, constraint("repositoryName", "Member must not be null")
	}
	if !validRepository(repository) {
		return nil, constraint("repositoryName", "must satisfy regular expression '"+repositoryPattern+"'")
	}
	account, err := e.accountFor(r, registryID)
	if err != nil {
		return nil, err
	}
	if err := e.authorize(r, account, repository); err != nil {
		return nil, err
	}
	if reg := e.registry(account, r.region); reg != nil {
		if repo := reg.Repository(repository); repo != nil {
			return repo, nil
		}
	}
	return nil, repositoryNotFound(repository, account)
}

func (e *Emulator) accountFor(r *request, registryID string) (string, *apiError) {
	if registryID == "" {
		return e.accountOf(r.caller), nil
	}
	if !accountRE.MatchString(registryID) {
		return "", constraint("registryId", "must satisfy regular expression '"+accountPattern+"'")
	}
	return registryID, nil
}

func repositoryNotFound(repository, account string) *apiError {
	return clientError("RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry with id '%s'", repository, account)
}
