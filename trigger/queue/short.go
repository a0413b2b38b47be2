package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// sayWait has a receive say that it does not wait. The SDK leaves a zero out
// (aws-sdk-go-v2 issue 1704), and then SQS lets it wait for as long as the queue's
// own ReceiveMessageWaitTimeSeconds says, up to 20 s.
func sayWait(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("SayWaitTimeSeconds",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
			fail := func(err error) (middleware.BuildOutput, middleware.Metadata, error) {
				return middleware.BuildOutput{}, middleware.Metadata{}, fmt.Errorf("say that a receive does not wait: %w", err)
			}
			request, ok := in.Request.(*smithyhttp.Request)
			if !ok {
				return fail(fmt.Errorf("the request is a %T", in.Request))
			}
			text, err := io.ReadAll(request.GetStream())
			if err != nil {
				return fail(err)
			}
			var body map[string]json.RawMessage
			if err := json.Unmarshal(text, &body); err != nil {
				return fail(err)
			}
			if _, said := body["WaitTimeSeconds"]; !said {
				body["WaitTimeSeconds"] = json.RawMessage("0")
			}
			if text, err = json.Marshal(body); err != nil {
				return fail(err)
			}
			if request, err = request.SetStream(bytes.NewReader(text)); err != nil {
				return fail(err)
			}
			in.Request = request
			return next.HandleBuild(ctx, in)
		}), middleware.Before)
}
