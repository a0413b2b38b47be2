package ecremulator

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"os"
	"time"
)

// Credentials are what an SDK signs requests with.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // empty for a user's
	Expires         time.Time // zero for a user's
}

// Env returns the variables that make an SDK use these credentials.
func (c Credentials) Env() map[string]string {
	env := map[string]string{
		"AWS_ACCESS_KEY_ID":     c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": c.SecretAccessKey,
	}
	if c.SessionToken != "" {
		env["AWS_SESSION_TOKEN"] = c.SessionToken
	}
	return env
}

// credential is a key that the emulator knows.
type credential struct {
	Credentials
	account string // empty for the root's, which follows the default account
	path    string // user/name or assumed-role/role/session
	role    string // the role's ARN, for an assumed role
}

// newCredential makes up a key. The caller need not hold the lock.
func (e *Emulator) newCredential(account, path, prefix string, expires time.Time) Credentials {
	c := Credentials{
		AccessKeyID:     prefix + randomText(10),
		SecretAccessKey: randomText(25),
		Expires:         expires,
	}
	if !expires.IsZero() {
		c.SessionToken = randomText(100)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys[c.AccessKeyID] = &credential{Credentials: c, account: account, path: path}
	return c
}

func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}

// Credentials returns the default credentials: a user of the default account,
// who may do everything in that account's registries and assume every role.
func (e *Emulator) Credentials() Credentials { return e.root }

// CreateUser returns credentials of a new user, such as "ci", of account. The
// error is ErrInvalidName.
func (e *Emulator) CreateUser(account, name string) (Credentials, error) {
	if !accountRE.MatchString(account) || name == "" {
		return Credentials{}, fmt.Errorf("create user %q of account %q: %w", name, account, ErrInvalidName)
	}
	return e.newCredential(account, "user/"+name, "AKIA", time.Time{}), nil
}

// RevokeKey makes the emulator forget an access key: its next use is
// UnrecognizedClientException.
func (e *Emulator) RevokeKey(accessKeyID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.keys, accessKeyID)
}

// accountOf returns the account that a caller's calls go to by default.
func (e *Emulator) accountOf(c *credential) string {
	if c.account == "" {
		return e.defaultAccount()
	}
	return c.account
}

// arnOf returns the caller as IAM names it in messages.
func (e *Emulator) arnOf(c *credential, region string) string {
	service := "iam"
	if c.role != "" {
		service = "sts"
	}
	return "arn:" + partition(region) + ":" + service + "::" + e.accountOf(c) + ":" + c.path
}

// isolatedEnv keeps an SDK from what the machine has configured.
func isolatedEnv() map[string]string {
	return map[string]string{
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
}
