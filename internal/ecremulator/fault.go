package ecremulator

type faultSet struct{}
