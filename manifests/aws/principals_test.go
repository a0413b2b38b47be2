package aws_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// resource gives the properties of one of the template's resources.
func resource(t *testing.T, name string) map[string]any {
	t.Helper()
	all, _ := template(t)
	r, ok := all["Resources"].(map[string]any)[name].(map[string]any)
	if !ok {
		t.Fatalf("the template has no %s", name)
	}
	return r["Properties"].(map[string]any)
}

// TestOnlyTheRuleMaySendToTheQueues: EventBridge acts for every account, so that the
// service alone as principal lets anybody's rule in.
func TestOnlyTheRuleMaySendToTheQueues(t *testing.T) {
	t.Parallel()
	for policy, queue := range map[string]string{"QueuePolicy": "Queue", "DeadLetterQueuePolicy": "DeadLetterQueue"} {
		p := resource(t, policy)
		got := []any{p["Queues"], p["PolicyDocument"].(map[string]any)["Statement"]}
		want := []any{[]any{queue}, []any{
			map[string]any{
				"Sid": "OnlyThisRule", "Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"},
				"Action": "sqs:SendMessage", "Resource": queue + ".Arn",
				"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": "Rule.Arn"}},
			},
			map[string]any{
				"Sid": "OnlyEncrypted", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": queue + ".Arn",
				"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}},
			},
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", policy, diff)
		}
	}
}

// What EventBridge gives up on is kept, where the alarm looks.
func TestWhatCanNotBeDeliveredIsKept(t *testing.T) {
	t.Parallel()
	target := resource(t, "Rule")["Targets"].([]any)[0].(map[string]any)
	if diff := cmp.Diff(map[string]any{"Arn": "DeadLetterQueue.Arn"}, target["DeadLetterConfig"]); diff != "" {
		t.Errorf("the target's dead-letter queue (-want +got):\n%s", diff)
	}
	dimensions := resource(t, "DeadLettersAlarm")["Dimensions"].([]any)
	if diff := cmp.Diff([]any{map[string]any{"Name": "QueueName", "Value": "DeadLetterQueue.QueueName"}}, dimensions); diff != "" {
		t.Errorf("what the alarm looks at (-want +got):\n%s", diff)
	}
}

// TestEachRoleIsOfOneServiceAccount: a trust without its condition is one of every Pod
// of the cluster, or of every account's EKS.
func TestEachRoleIsOfOneServiceAccount(t *testing.T) {
	t.Parallel()
	for name, account := range map[string]string{"TriggerRoleForIRSA": "${TriggerServiceAccount}", "GenerateRoleForIRSA": "${RepoServerServiceAccount}"} {
		text := resource(t, name)["AssumeRolePolicyDocument"].(map[string]any)["Fn::Sub"].(string)
		var got any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
			"Principal": map[string]any{"Federated": "arn:${AWS::Partition}:iam::${AWS::AccountId}:oidc-provider/${OidcProvider}"},
			"Condition": map[string]any{"StringEquals": map[string]any{
				"${OidcProvider}:aud": "sts.amazonaws.com",
				"${OidcProvider}:sub": "system:serviceaccount:${Namespace}:" + account,
			}},
		}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, name := range []string{"TriggerRoleForPodIdentity", "GenerateRoleForPodIdentity"} {
		got := resource(t, name)["AssumeRolePolicyDocument"].(map[string]any)["Statement"]
		want := []any{map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"Service": "pods.eks.amazonaws.com"}, "Action": []any{"sts:AssumeRole", "sts:TagSession"},
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": "AWS::AccountId"}},
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
