// Package motoaccount is an AWS account for tests that this project has not made
// itself: moto's server, which speaks the APIs of ECR, SQS, EventBridge,
// CloudFormation, IAM and STS, with the real AWS CLI beside it. internal/ecremulator
// knows ECR better; this one is a second opinion on it, and knows the rest.
//
// What moto lacks is made up for here, once, and said where it is.
package motoaccount
