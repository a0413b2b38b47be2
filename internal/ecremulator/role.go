package ecremulator

// Role can be assumed through STS.
type Role struct{}
