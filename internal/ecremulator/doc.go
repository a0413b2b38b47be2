// Package ecremulator is Amazon ECR in one process: the JSON API that the AWS
// SDKs speak, enough of AWS STS to assume roles, the OCI registry that
// container runtimes pull from, all over the same images, and SQS queues that
// get EventBridge's events of pushes.
//
// An [Emulator] is an [net/http.Handler]. [Start] serves one for the length of
// a test:
//
//	ecr := ecremulator.Start(t)
//	registry := ecremulator.Must(ecr.CreateRegistry("025434362120", "ap-northeast-1"))
//	repository := ecremulator.Must(registry.CreateRepository("nova/auth-service"))
//	digest := ecremulator.Must(repository.Push(ecremulator.OCIImage("auth 1"), sha))
//	for name, value := range ecr.Env() {
//		t.Setenv(name, value)
//	}
//
// From there any AWS SDK in the process, or in a child that inherits the
// environment, talks to the emulator.
//
// What is emulated is what a reader of ECR can observe: results in no order of
// time, pages with opaque tokens, push times that belong to the manifest and
// not to the tag, per-image failures beside whole-call errors, the service's
// own messages, SigV4 signatures that are verified, resource policies between
// accounts, and the ways a network and a busy service fail (see [Fault]).
// Where AWS documents nothing and no public record shows what ECR does, the
// code says that it is a guess.
//
// Time comes from a [Clock] that tests may set, so that "pushed two days ago"
// and "the token has expired" need no waiting. Signatures are checked against
// the real time, as the clients make them with it.
package ecremulator
