package motoaccount

import (
	"slices"
	"testing"
)

const reader = `{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:DescribeImages"], "Resource": "arn:aws:ecr:ap-northeast-1:025434362120:repository/nova/*"},
  {"Effect": "Allow", "Action": "sqs:DeleteMessage", "Resource": ["*"]},
  {"Effect": "Deny", "Action": "ecr:*", "Resource": "arn:aws:ecr:ap-northeast-1:025434362120:repository/nova/secret"}]}`

func TestAllows(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy(reader)
	if err != nil {
		t.Fatal(err)
	}
	const repository = "arn:aws:ecr:ap-northeast-1:025434362120:repository/"
	for _, tt := range []struct {
		name string
		call Call
		want bool
	}{
		{"an action on a resource of the pattern", Call{"ecr:BatchGetImage", repository + "nova/auth-service"}, true},
		{"actions are compared without case", Call{"ecr:batchgetimage", repository + "nova/auth-service"}, true},
		{"another action", Call{"ecr:PutImage", repository + "nova/auth-service"}, false},
		{"another resource", Call{"ecr:BatchGetImage", repository + "other/auth-service"}, false},
		{"a resource that only begins like one", Call{"ecr:BatchGetImage", repository + "nova"}, false},
		{"what another statement denies", Call{"ecr:BatchGetImage", repository + "nova/secret"}, false},
		{"any resource", Call{"sqs:DeleteMessage", "arn:aws:sqs:ap-northeast-1:025434362120:nova-trigger"}, true},
		{"an action that was taken away", Call{"ecr:DescribeImages", repository + "nova/x"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := p.Allows(tt.call); got != tt.want {
				t.Errorf("allows %v: %t, want %t", tt.call, got, tt.want)
			}
		})
	}
	if less := p.Without("ecr:DescribeImages"); less.Allows(Call{"ecr:DescribeImages", repository + "nova/x"}) || !less.Allows(Call{"ecr:BatchGetImage", repository + "nova/x"}) {
		t.Errorf("without one action: %+v", less)
	}
	if got := p.Actions(); !slices.Equal(got, []string{"ecr:BatchGetImage", "ecr:DescribeImages", "sqs:DeleteMessage"}) {
		t.Errorf("actions are %s", got)
	}
}

func TestParsePolicyTakesAStatementAndNothingElse(t *testing.T) {
	t.Parallel()
	p, err := ParsePolicy(`{"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"}`)
	if err != nil || !p.Allows(Call{"ecr:BatchGetImage", "x"}) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, text := range []string{"{}", "[]", `{"Statement": 1}`, "x"} {
		if p, err := ParsePolicy(text); err == nil {
			t.Errorf("%s is read as %+v", text, p)
		}
	}
}
