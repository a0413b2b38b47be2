package ecremulator

import (
	"encoding/base64"
	"time"
)

// passwordLife is how long a password from GetAuthorizationToken works.
const passwordLife = 12 * time.Hour

// password is one that was given out for /v2/.
type password struct {
	caller  *credential
	expires time.Time
}

type getAuthorizationTokenInput struct {
	RegistryIDs []string `json:"registryIds"`
}

type getAuthorizationTokenOutput struct {
	AuthorizationData []authorizationData `json:"authorizationData"`
}

type authorizationData struct {
	AuthorizationToken string `json:"authorizationToken"`
	ExpiresAt          epoch  `json:"expiresAt"`
	ProxyEndpoint      string `json:"proxyEndpoint"`
}

// getAuthorizationToken gives out one password for all registries the caller
// can reach, named once for each registry asked for.
func (e *Emulator) getAuthorizationToken(r *request, in *getAuthorizationTokenInput) (any, *apiError) {
	accounts := in.RegistryIDs
	if accounts == nil {
		accounts = []string{e.accountOf(r.caller)}
	}
	if len(accounts) < 1 || len(accounts) > 10 {
		return nil, constraint("registryIds", "Member must have length between 1 and 10, inclusive")
	}
	for _, account := range accounts {
		if !accountRE.MatchString(account) {
			return nil, constraint("registryIds", "must satisfy regular expression '"+accountPattern+"'")
		}
	}
	if err := e.authorize(r, e.accountOf(r.caller), ""); err != nil {
		return nil, err
	}
	secret := randomText(60)
	expires := stored(e.Now().Add(passwordLife))
	e.mu.Lock()
	e.passwords[secret] = password{r.caller, expires}
	e.mu.Unlock()

	out := getAuthorizationTokenOutput{}
	for _, account := range accounts {
		host := (&Registry{account: account, region: r.region}).Host()
		out.AuthorizationData = append(out.AuthorizationData, authorizationData{
			AuthorizationToken: base64.StdEncoding.EncodeToString([]byte("AWS:" + secret)),
			ExpiresAt:          epoch(expires),
			ProxyEndpoint:      "https://" + host,
		})
	}
	return out, nil
}
