package workflows_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTheBuildLooksForTheImageFirst(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		aws        string
		dockerfile string
		status     int
		exists     string
		says       string
	}{
		{"builds what ECR does not have", `echo "An error occurred (ImageNotFoundException) when calling the DescribeImages operation" >&2; exit 254`, "backend/auth-service/Dockerfile", 0, "false", ""},
		{"leaves alone what is there", `echo '{"imageDetails":[{}]}'`, "backend/auth-service/Dockerfile", 0, "true", "nothing to build"},
		{"does not take a refusal for an image that is not there", `echo "An error occurred (AccessDeniedException) when calling the DescribeImages operation: not authorized" >&2; exit 254`, "backend/auth-service/Dockerfile", 1, "", "can not ask ECR about nova/auth-service: An error occurred (AccessDeniedException)"},
		{"names the repository that is missing", `echo "An error occurred (RepositoryNotFoundException)" >&2; exit 254`, "backend/auth-service/Dockerfile", 1, "", "RepositoryNotFoundException"},
		{"names the Dockerfile that is missing", `exit 99`, "backend/other/Dockerfile", 1, "", "there is no backend/auth-service/Dockerfile"},
	}
	script := load(t, "staging-deploy").script(t, "build-and-push", "Look for the image")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.tool("aws", tt.aws)
			r.write(tt.dockerfile, "FROM scratch\n")
			status, out := r.run(script, "SERVICE=auth-service", "DOCKERFILE=backend/{service}/Dockerfile")
			if status != tt.status || !strings.Contains(out, tt.says) {
				t.Fatalf("status %d, want %d; said %q, want %q in it", status, tt.status, out, tt.says)
			}
			got := r.outputs()
			if got["exists"] != tt.exists {
				t.Errorf("exists is %q, want %q", got["exists"], tt.exists)
			}
			if tt.status == 0 && (got["name"] != registry+"/nova/auth-service" || got["dockerfile"] != "backend/auth-service/Dockerfile" || got["account"] != "025434362120") {
				t.Errorf("outputs %v", got)
			}
			if calls := r.read("CALLS"); tt.exists != "" && !strings.Contains(calls, "--registry-id 025434362120 --repository-name nova/auth-service --image-ids imageTag="+sha) {
				t.Errorf("ECR was asked %q", calls)
			}
		})
	}
}

// TestTheBuildLogsInToTheRegistryItPushesTo: the role may be of another account.
func TestTheBuildLogsInToTheRegistryItPushesTo(t *testing.T) {
	t.Parallel()
	login := load(t, "staging-deploy").action(t, "build-and-push", "aws-actions/amazon-ecr-login")
	if login.With["registries"] != "${{ steps.image.outputs.account }}" {
		t.Errorf("it logs in to %v", login.With)
	}
}

func TestTheBuildRecordsWhatECRHas(t *testing.T) {
	t.Parallel()
	script := load(t, "staging-deploy").script(t, "build-and-push", "Record what ECR has")
	r := newRunner(t)
	r.tool("aws", `echo '{"imageDetails":[{"imageDigest":"sha256:abc","imagePushedAt":"2026-11-20T18:08:00.123000+09:00"}]}'`)
	status, out := r.run(script, "SERVICE=auth-service", "IMAGE="+registry+"/nova/auth-service")
	if status != 0 {
		t.Fatal(out)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(r.read("pushed/auth-service.json")), &got); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"service": "auth-service", "image": registry + "/nova/auth-service", "tag": sha, "digest": "sha256:abc", "pushedAt": "2026-11-20T09:08:00Z"} {
		if got[k] != want {
			t.Errorf("%s is %q, want %q", k, got[k], want)
		}
	}

	t.Run("and fails when ECR has it without a digest", func(t *testing.T) {
		t.Parallel()
		r := newRunner(t)
		r.tool("aws", `echo '{"imageDetails":[]}'`)
		if status, out := r.run(script, "SERVICE=auth-service", "IMAGE=x"); status == 0 {
			t.Errorf("it passed: %s", out)
		}
	})
}

func TestTriggerIsInstalledOnlyWhenItIsTheReleasedOne(t *testing.T) {
	t.Parallel()
	script := load(t, "staging-deploy").script(t, "deploy-to-staging", "Install trigger")
	download := `
case "$1 $2" in
"release download") echo binary >trigger_linux_amd64; %s ;;
"attestation verify")
  # What GitHub attests of a release's binary, as the flags ask for it.
  [ "$*" = "attestation verify trigger_linux_amd64 --repo proerror77/nova-staging --signer-workflow proerror77/nova-staging/.github/workflows/release.yml --source-ref refs/tags/v1.2.3" ] || exit 1
  %s ;;
*) exit 1 ;;
esac`
	sums := `sha256sum trigger_linux_amd64 >SHA256SUMS; echo "0000000000000000000000000000000000000000000000000000000000000000  trigger_linux_arm64" >>SHA256SUMS`
	tests := []struct {
		name, sums, attestation string
		status                  int
	}{
		{"the released one", sums, "true", 0},
		{"another binary", `echo "0000000000000000000000000000000000000000000000000000000000000000  trigger_linux_amd64" >SHA256SUMS`, "true", 1},
		{"no checksum of it", `: >SHA256SUMS`, "true", 1},
		{"not built by the release workflow, or of another release", sums, "exit 1", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.tool("gh", strings.Replace(strings.Replace(download, "%s", tt.sums, 1), "%s", tt.attestation, 1))
			status, out := r.run(script, "TRIGGER_VERSION=v1.2.3", "FROM=proerror77/nova-staging")
			if status != tt.status {
				t.Fatalf("status %d, want %d: %s", status, tt.status, out)
			}
			path := r.read("GITHUB_PATH")
			if (path != "") != (tt.status == 0) {
				t.Errorf("on PATH: %q", path)
			}
		})
	}
	// The names are the release workflow's.
	build := load(t, "release").script(t, "binaries", "Build")
	if !strings.Contains(build, `"dist/${program}_${os}_${arch}"`) || !strings.Contains(build, "linux/amd64") {
		t.Error("the release has no trigger_linux_amd64")
	}
	if !strings.Contains(load(t, "release").script(t, "publish", "Publish"), "SHA256SUMS") {
		t.Error("the release has no SHA256SUMS")
	}
}
