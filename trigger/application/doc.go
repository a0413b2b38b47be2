// Package application is Argo CD's Application as trigger sees it: the as-of
// parameter of its plugin sources, what Argo CD did at which instant, and the
// annotations in which trigger keeps its own state.
//
// Applications are read as unstructured objects: Argo CD's Go types would bring
// its whole module along, and a field that has an unexpected form must spoil
// nothing but what depends on it.
package application
