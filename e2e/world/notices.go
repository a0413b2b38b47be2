package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Notice is what somebody was told; e2e/lab says what is in it.
type Notice struct{ Service, To, Title, Text string }

// Notices gives what people were told since the last ForgetNotices.
func (r *Registry) Notices(ctx context.Context) ([]Notice, error) {
	body, err := r.ask(ctx, http.MethodGet, "/notices", nil)
	if err != nil {
		return nil, err
	}
	var n []Notice
	return n, json.Unmarshal(body, &n)
}

// ForgetNotices empties the inbox.
func (r *Registry) ForgetNotices(ctx context.Context) error {
	_, err := r.ask(ctx, http.MethodDelete, "/notices", nil)
	return err
}

// Told waits until somebody was told something by a service, with a title that
// contains a text, and gives it.
func (w *World) Told(ctx context.Context, service, title string) (Notice, error) {
	var found Notice
	err := until(ctx, 30*time.Second, fmt.Sprintf("%s tells %q", service, title), func(ctx context.Context) (bool, string) {
		notices, err := w.Registry.Notices(ctx)
		if err != nil {
			return false, err.Error()
		}
		for _, n := range notices {
			if n.Service == service && strings.Contains(n.Title, title) {
				found = n
				return true, ""
			}
		}
		return false, fmt.Sprintf("%+v", notices)
	})
	return found, err
}
