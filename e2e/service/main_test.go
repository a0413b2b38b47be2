package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnImageSaysWhatItIsAndHowItMisbehaves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, misbehave, path string
		contentType, body     string
	}{
		{"health", "", "/api/v1/health", "application/json", `{"status":"ok","service":"user-service","version":"abc"}`},
		{"health that says it is down", saysDown, "/api/v1/health", "application/json", `{"status":"down","service":"user-service","version":"abc"}`},
		{"metrics", "", "/metrics", "text/plain; version=0.0.4; charset=utf-8", `build_info{service="user-service",revision="abc"} 1`},
		{"metrics that are a page", metricsHTML, "/metrics", "text/html", "<!DOCTYPE html>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := fromEnv(func(name string) string {
				return map[string]string{
					"SERVICE": "user-service", "VERSION": "abc", "PORT": "8080", "HEALTH_PATH": "/api/v1/health", "MISBEHAVE": c.misbehave,
				}[name]
			})
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			s.handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", c.path, nil))
			if w.Code != 200 || w.Header().Get("Content-Type") != c.contentType || !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("%d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

func TestAnImageWithoutItsVariablesDoesNotStart(t *testing.T) {
	t.Parallel()
	if _, err := fromEnv(func(string) string { return "" }); err == nil {
		t.Error("want an error")
	}
	if _, err := fromEnv(func(name string) string { return "x" }); err == nil || !strings.Contains(err.Error(), "MISBEHAVE") {
		t.Errorf("got %v, want an error that names MISBEHAVE", err)
	}
}
