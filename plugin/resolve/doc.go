// Package resolve answers, for each image and as of an instant, which tag and
// digest its policy chooses in ECR.
//
// A [Group] is what must be decided at once: one image, or all images of a
// policy entry that says together. Groups are independent and resolved
// concurrently. A group is decided or the whole resolution fails: there is no
// best effort, because an image ranked without the ones that could not be asked
// for might be an older one.
package resolve
