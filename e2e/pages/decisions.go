package pages

// Held are the pages whose commands the walks of the e2e suite run, and of some
// only what stands under these headings.
var Held = map[string][]string{
	"README.md":           {"Install into your Argo CD", "Move the instant: `trigger`"},
	"docs/first-image.md": nil,
	"docs/migration.md":   nil,
	"docs/operations.md":  nil,
}

// Reasons that several blocks have not to be run.
const (
	installed = "the suite begins with this command, and the file that is shown"
	noAWS     = "the lab has ECR's registry and what generate and trigger ask of AWS, and no more"
)

// Decisions says of every block of those pages whether it is run, in which walk.
var Decisions = []Decision{
	{Page: "README.md", Heading: "Install into your Argo CD", Has: "aws ecr create-repository", Not: "first-image.md has the same, which is run"},
	{Page: "README.md", Heading: "Install into your Argo CD", Has: "kind: Kustomization", Not: installed},
	{Page: "README.md", Heading: "Install into your Argo CD", Has: "kubectl create namespace argocd", Not: installed},
	{Page: "README.md", Heading: "Install into your Argo CD", Has: "-k manifests/argocd/application", Not: installed},
	{Page: "README.md", Heading: "Install into your Argo CD", Has: "aws cloudformation deploy", Run: "day-two/trigger"},
	{Page: "README.md", Heading: "Install into your Argo CD", Has: "deployment/argocd-repo-server", Not: "step 2 made the role before the repo-server began; the walk through operations.md runs the same"},
	{Page: "README.md", Heading: "Move the instant: `trigger`", Has: "trigger rollback", Run: "day-two/verbs"},
	{Page: "README.md", Heading: "Move the instant: `trigger`", Has: "kubectl -n argocd patch", Run: "day-two/by hand"},

	{Page: "docs/operations.md", Heading: "Where it stands", Has: "trigger status", Run: "day-two/status"},
	{Page: "docs/operations.md", Heading: "Roll back", Has: "trigger rollback", Run: "day-two/rollback"},
	{Page: "docs/operations.md", Heading: "Hold", Has: "trigger hold", Run: "day-two/hold"},
	{Page: "docs/operations.md", Heading: "Rotate roles and credentials", Has: "trigger once", Run: "day-two/verify"},
	{Page: "docs/operations.md", Heading: "Rotate roles and credentials", Has: "aws eks list-pod-identity-associations", Not: noAWS},
	{Page: "docs/operations.md", Heading: "Rotate roles and credentials", Has: "aws eks update-pod-identity-association", Not: noAWS},
	{Page: "docs/operations.md", Heading: "Rotate roles and credentials", Has: "deployment/argocd-repo-server", Run: "day-two/restart"},
	{Page: "docs/operations.md", Heading: "Rotate roles and credentials", Has: "deployment/nova-trigger", Run: "day-two/restart trigger"},
	{Page: "docs/operations.md", Heading: "generate", Has: "old/generate", Run: "day-two/compare"},
	{Page: "docs/operations.md", Heading: "generate", Has: "--force", Run: "day-two/upgrade"},
	{Page: "docs/operations.md", Heading: "smoke", Has: "new/smoke", Run: "day-two/smoke"},
	{Page: "docs/operations.md", Heading: "smoke", Has: "ImagePolicy", Not: "the tests of docs read it as generate does"},
	{Page: "docs/operations.md", Heading: "trigger", Has: "get lease", Run: "day-two/upgrade trigger"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "kubectl delete -k", Run: "day-two/without trigger"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "--type merge", Run: "day-two/plugin again"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "kustomize edit set image", Run: "day-two/tags"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "/spec/source/plugin", Run: "day-two/without plugin"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "delete application", Run: "day-two/without Application"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "delete job smoke", Run: "day-two/without Job"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "finalizers", Run: "day-two/finalizers"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "get applications -A", Run: "day-two/others"},
	{Page: "docs/operations.md", Heading: "Uninstall, and leave Nova running", Has: "delete-stack", Not: noAWS},
	{Page: "docs/operations.md", Heading: "At 3 a.m.", Has: "logs job/smoke", Run: "day-two/first look"},
	{Page: "docs/operations.md", Heading: "At 3 a.m.", Has: "--wait --hold", Run: "day-two/rollback and hold"},
	{Page: "docs/operations.md", Heading: "At 3 a.m.", Has: "get events", Run: "day-two/events"},
	{Page: "docs/operations.md", Heading: "At 3 a.m.", Has: "--to INSTANT", Run: "day-two/rollback to"},
	{Page: "docs/operations.md", Heading: "At 3 a.m.", Has: "operationState.message", Run: "day-two/message"},
	{Page: "docs/operations.md", Heading: "At 3 a.m.", Has: "trigger hold", Run: "day-two/hold at night"},
	{Page: "docs/operations.md", Heading: "At 3 a.m.", Has: "--replicas=0", Run: "day-two/stop trigger"},
	{Page: "docs/operations.md", Heading: "At 3 a.m.", Has: "set image …", Not: "it is not a whole command"},

	{Page: "docs/first-image.md", Heading: "From nothing to the first verified deployment", Has: "export CLUSTER", Run: "first-image/set"},
	{Page: "docs/first-image.md", Heading: "1. Images of the programs", Run: "first-image/programs"},
	{Page: "docs/first-image.md", Heading: "2. The sidecar", Has: "aws iam", Run: "first-image/role"},
	{Page: "docs/first-image.md", Heading: "2. The sidecar", Has: "kustomization.yaml", Run: "first-image/sidecar"},
	{Page: "docs/first-image.md", Heading: "3. Manifests and policies", Has: "cp -r", Run: "first-image/manifests"},
	{Page: "docs/first-image.md", Heading: "4. The first push", Has: "docker buildx", Run: "first-image/push"},
	{Page: "docs/first-image.md", Heading: "4. The first push", Has: "generate explain", Run: "first-image/explain"},
	{Page: "docs/first-image.md", Heading: "5. The Application", Run: "first-image/application"},
	{Page: "docs/first-image.md", Heading: "6. Deploy", Has: "trigger once", Run: "first-image/deploy"},
	{Page: "docs/first-image.md", Heading: "6. Deploy", Has: "trigger status", Run: "first-image/look"},

	{Page: "docs/migration.md", Heading: "From committing tags to git", Run: "migration/before"},
	{Page: "docs/migration.md", Heading: "1. The sidecar", Has: "-k .", Not: "with the component in it, the suite's installation runs the same command; without it, the walk through operations.md does"},
	{Page: "docs/migration.md", Heading: "2. images.yaml, and a comparison", Has: "ImagePolicy", Run: "migration/images.yaml"},
	{Page: "docs/migration.md", Heading: "2. images.yaml, and a comparison", Has: "diff old new", Run: "migration/compare"},
	{Page: "docs/migration.md", Heading: "2. images.yaml, and a comparison", Has: "generate explain", Run: "migration/explain"},
	{Page: "docs/migration.md", Heading: "3. The plugin renders", Has: "--type merge", Run: "migration/plugin"},
	{Page: "docs/migration.md", Heading: "3. The plugin renders", Has: "trigger once", Run: "migration/move"},
	{Page: "docs/migration.md", Heading: "3. The plugin renders", Has: `"remove"`, Run: "migration/without plugin"},
	{Page: "docs/migration.md", Heading: "4. Pushes move it", Has: "trigger once", Run: "migration/once"},
	{Page: "docs/migration.md", Heading: "4. Pushes move it", Has: "trigger=true", Run: "migration/label"},
	{Page: "docs/migration.md", Heading: "4. Pushes move it", Has: "rollback=off", Run: "migration/look only"},
	{Page: "docs/migration.md", Heading: "4. Pushes move it", Has: "staging.nova/trigger-", Run: "migration/without label"},
	{Page: "docs/migration.md", Heading: "5. smoke decides", Has: "smoke validate", Run: "migration/smoke"},
	{Page: "docs/migration.md", Heading: "6. CI stops committing", Has: "kustomize edit set image", Run: "migration/tags"},
	{Page: "docs/migration.md", Heading: "7. Clean up", Has: "project.yaml", Run: "migration/project"},
	{Page: "docs/migration.md", Heading: "7. Clean up", Has: `"default"`, Run: "migration/without project"},
	{Page: "docs/migration.md", Heading: "All the way back", Has: "before.json", Run: "migration/all the way back"},
}

// Substitutions are what a walk puts in place of what the pages show. Variables
// that begin with LAB_ are the walk's.
var Substitutions = []Substitution{
	{Page: "README.md", Old: "-k .\n", New: "-k \"$LAB_TRIGGER\"\n", Why: "the folder of the example, with the lab's image and queue"},
	{Page: "README.md", Old: "aws cloudformation deploy ", New: ": ", Why: noAWS},
	{Page: "README.md", Old: "2026-11-20T12:00:00Z", New: "'$LAB_INSTANT'", Why: "an example"},
	{Page: "docs/operations.md", Old: "delete -k .\n", New: "delete -k \"$LAB_TRIGGER\"\n", Why: "the folder of that overlay"},
	{Page: "docs/first-image.md", Old: "https://github.com/your-organisation/Nova.git", New: "$LAB_REPOSITORY", Why: "an example"},
	{
		Page: "docs/first-image.md", Old: "  newTag: $BUILD\nEND", New: "  newTag: $BUILD\n$LAB_PATCHES\nEND",
		Why: "the lab has no Pod Identity agent to hand out credentials, and another address than AWS",
	},
	{Page: "docs/operations.md", Old: "INSTANT", New: "$LAB_INSTANT", Why: "a placeholder"},
}
