// Package triggertest is trigger with all that it talks to, in one process: an API
// server with Argo CD, ECR, a queue. Nothing of it is shared or read from the
// process's environment, so that tests run at the same time.
package triggertest
