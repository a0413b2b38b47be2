package ecr

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// identity is who a client calls as: the outermost provider of its credentials.
// It marks their failures, which the SDK otherwise reports in the same words and
// types as a failure of the call itself, and has what it hands out kept from
// every text.
type identity struct {
	provider aws.CredentialsProvider
	role     Role // to be assumed; zero for the process's own credentials
	hide     *redactor
	// assuming is the AssumeRole under way, nil when there is none.
	assuming atomic.Pointer[call]
}

// credentialsError is a failure to obtain credentials.
type credentialsError struct {
	role Role
	err  error
}

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// RetryableError tells the SDK that whoever obtains credentials has retried
// already.
func (e *credentialsError) RetryableError() bool { return false }

// Retrieve implements [aws.CredentialsProvider].
func (i *identity) Retrieve(ctx context.Context) (aws.Credentials, error) {
	under, observed := ctx.Value(callKey{}).(*call)
	if observed {
		under.wait(i)
	}
	creds, err := i.provider.Retrieve(ctx)
	if observed && (err == nil || ctx.Err() == nil) {
		under.wait(nil) // else whoever ended the context wants to know
	}
	if err != nil {
		return aws.Credentials{}, &credentialsError{role: i.role, err: err}
	}
	i.hide.add(creds.AccessKeyID, creds.SecretAccessKey, creds.SessionToken)
	return creds, nil
}

// forget has the next call obtain credentials anew.
func (i *identity) forget() {
	if cache, ok := i.provider.(interface{ Invalidate() }); ok {
		cache.Invalidate()
	}
}

// String says what a call that needs the credentials waits for.
func (i *identity) String() string {
	if under := i.assuming.Load(); under != nil {
		return strings.Join(append([]string{under.op + " on " + under.on}, under.details()...), ", ")
	}
	return "credentials"
}

// roleTarget is what needs a session of its own. STS is asked in the region of
// the registry, so that a partition's roles are assumed in that partition.
type roleTarget struct {
	region string
	role   Role
}

// assumed gives the identity of a role. The caller holds c.mu.
func (c *Client) assumed(cfg aws.Config, role Role) *identity {
	t := roleTarget{cfg.Region, role}
	if i, ok := c.byRole[t]; ok {
		return i
	}
	i := &identity{role: role, hide: c.hide}
	client := sts.NewFromConfig(cfg, func(o *sts.Options) {
		o.APIOptions = append(o.APIOptions, observe(c.hide))
	})
	i.provider = aws.NewCredentialsCache(&assumption{
		client: c, identity: i,
		provider: stscreds.NewAssumeRoleProvider(client, role.ARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "nova-generate"
			if role.ExternalID != "" {
				o.ExternalID = aws.String(role.ExternalID)
			}
		}),
	})
	c.byRole[t] = i
	return i
}

// assumption observes an AssumeRole, which all calls that need the role share,
// as a call of its own.
type assumption struct {
	client   *Client
	identity *identity
	provider aws.CredentialsProvider
}

// Retrieve implements [aws.CredentialsProvider]. The SDK's cache calls it with a
// context that never ends.
func (a *assumption) Retrieve(ctx context.Context) (aws.Credentials, error) {
	under := a.client.pending.start("AssumeRole", a.identity.role.ARN, 0)
	defer a.client.pending.end(under)
	a.identity.assuming.Store(under)
	defer a.identity.assuming.Store(nil)
	ctx, cancel := context.WithTimeout(ctx, a.client.tuning.assume)
	defer cancel()
	ctx = context.WithValue(ctx, callKey{}, under)
	ctx = context.WithValue(ctx, clockKey{}, nil) // that is ECR's, not that of STS
	creds, err := a.provider.Retrieve(ctx)
	if err != nil && ctx.Err() != nil {
		return creds, fmt.Errorf("gave up after %s: %s", a.client.tuning.assume, under)
	}
	return creds, err
}
