package reach

import "errors"

// ErrWay is wrapped by errors that are about the way to a target and say
// nothing about the target itself: a right that is missing, an API server that
// does not forward, a name that leads to no Pod.
var ErrWay = errors.New("the way there failed")
