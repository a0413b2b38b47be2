package motoaccount

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go"
)

// What the other packages' tests rely on: that rights are looked at, and refusals
// come as AWS sends them.
func TestTheAccount(t *testing.T) {
	t.Parallel()
	a := Start(t)
	a.CLI(t, "ecr", "create-repository", "--repository-name", "nova/auth-service")
	may, err := ParsePolicy(`{"Effect": "Allow", "Action": "ecr:DescribeImages", "Resource": "arn:aws:ecr:*:*:repository/nova/*"}`)
	if err != nil {
		t.Fatal(err)
	}
	describe := func(c Credentials) string {
		cfg, err := config.LoadDefaultConfig(t.Context(), a.SDK(c)...)
		if err != nil {
			t.Fatal(err)
		}
		name := "nova/auth-service"
		_, err = ecr.NewFromConfig(cfg).DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: &name})
		var api smithy.APIError
		switch {
		case err == nil:
			return ""
		case errors.As(err, &api):
			return api.ErrorCode() + ": " + api.ErrorMessage()
		}
		return err.Error()
	}
	with, without := a.Role(t, "with", may), a.Role(t, "without", may.Without("ecr:DescribeImages"))
	wrong := with
	wrong.SecretAccessKey += "x"
	lift := a.Enforce(t)
	for _, tt := range []struct {
		name string
		c    Credentials
		want string
	}{
		{"a role with the right", with, ""},
		{"a role without it", without, "AccessDeniedException: User: arn:aws:sts::" + ID + ":assumed-role/without/test is not authorized to perform: ecr:DescribeImages"},
		{"a wrong secret", wrong, "SignatureDoesNotMatch: "},
		{"a key of nobody", root, "InvalidClientTokenId: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := describe(tt.c); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("answer %q, want %q", got, tt.want)
			}
		})
	}
	lift()
	if got := describe(root); got != "" {
		t.Errorf("rights are looked at after Enforce has ended: %s", got)
	}
	if got := a.Calls(with); !slices.Equal(got, []Call{{"ecr:DescribeImages", "arn:aws:ecr:" + Region + ":" + ID + ":repository/nova/auth-service"}}) {
		t.Errorf("calls are %v", got)
	}
	t.Run("what moto does not know, the CLI checks", func(t *testing.T) {
		for _, tt := range []struct {
			option string
			ok     bool
		}{{"--namespace", true}, {"--name-space", false}} {
			cmd := exec.CommandContext(t.Context(), a.Tools(t)+"/aws", "eks", "list-pod-identity-associations", "--cluster-name", "staging", tt.option, "argocd")
			cmd.Env = a.Env()
			if out, err := cmd.CombinedOutput(); (err == nil) != tt.ok {
				t.Errorf("with %s: %v\n%s", tt.option, err, out)
			}
		}
	})
}
