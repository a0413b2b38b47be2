package ecremulator

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

var roleRE = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,64})$`)

// Role can be assumed through STS. Registries let it in by its ARN; see
// [Registry.Allow].
type Role struct {
	arn           string
	account, name string
	externalID    string
	trusted       []string
	webIdentity   string
	longest       time.Duration
}

// ARN returns the role's name, such as arn:aws:iam::025434362120:role/reader.
func (r *Role) ARN() string { return r.arn }

// RoleOption changes who may assume a role.
type RoleOption func(*Role)

// WithExternalID demands that external ID. Optional; without it any is taken,
// as by a trust policy that has no such condition.
func WithExternalID(id string) RoleOption {
	return func(r *Role) { r.externalID = id }
}

// WithTrust lets only these principals assume the role: accounts, or ARNs of
// users, roles or role sessions. Optional; by default every caller may.
func WithTrust(principals ...string) RoleOption {
	return func(r *Role) { r.trusted = append(r.trusted, principals...) }
}

// WithWebIdentity lets the bearer of that token assume the role through
// AssumeRoleWithWebIdentity, as Pods on EKS do (IRSA). The token is compared,
// not read. Optional; by default no token is taken.
func WithWebIdentity(token string) RoleOption {
	return func(r *Role) { r.webIdentity = token }
}

// WithMaxSession sets the longest session that may be asked for. Optional; the
// default is one hour, as IAM's.
func WithMaxSession(d time.Duration) RoleOption {
	return func(r *Role) { r.longest = d }
}

// CreateRole adds a role by its ARN. The error is ErrInvalidName or ErrExists.
func (e *Emulator) CreateRole(arn string, opts ...RoleOption) (*Role, error) {
	m := roleRE.FindStringSubmatch(arn)
	if m == nil {
		return nil, fmt.Errorf("create role %q: want arn:aws:iam::<account>:role/<name>: %w", arn, ErrInvalidName)
	}
	role := &Role{arn: arn, account: m[1], name: m[2], longest: time.Hour}
	for _, o := range opts {
		o(role)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.roles[arn]; ok {
		return nil, fmt.Errorf("create role %s: %w", arn, ErrExists)
	}
	e.roles[arn] = role
	return role, nil
}

// DeleteRole removes a role; sessions that exist go on. It reports whether
// there was one.
func (e *Emulator) DeleteRole(arn string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, ok := e.roles[arn]
	delete(e.roles, arn)
	return ok
}

func (e *Emulator) role(arn string) *Role {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.roles[arn]
}

// trusts tells whether the caller may assume the role.
func (e *Emulator) trusts(role *Role, caller *credential, region, externalID string) bool {
	if role.externalID != "" && role.externalID != externalID {
		return false
	}
	if len(role.trusted) == 0 {
		return true
	}
	for _, p := range role.trusted {
		if e.isPrincipal(caller, region, p) {
			return true
		}
	}
	return false
}

// session makes credentials of the role for d of real time, which is what the
// SDKs measure their expiry against.
func (e *Emulator) session(role *Role, name string, d time.Duration) *credential {
	expires := e.serviceTime().Add(d).Truncate(time.Second)
	c := e.newCredential(role.account, strings.Join([]string{"assumed-role", role.name, name}, "/"), "ASIA", expires)
	e.mu.Lock()
	defer e.mu.Unlock()
	key := e.keys[c.AccessKeyID]
	key.role = role.arn
	return key
}

// ExpireSession ends a role's session early: its next use is
// ExpiredTokenException. It reports whether there was one.
func (e *Emulator) ExpireSession(accessKeyID string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, ok := e.keys[accessKeyID]
	if !ok || old.SessionToken == "" {
		return false
	}
	expired := *old // calls under way hold the old one
	expired.Expires = time.Unix(0, 0)
	e.keys[accessKeyID] = &expired
	return true
}
