package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Notice is what somebody was told.
type Notice struct {
	Service string `json:"service"` // slack, github, email
	To      string `json:"to"`      // channel, repository@commit, address
	Title   string `json:"title"`   // attachment's title, context: state, subject
	Text    string `json:"text"`    // message, description, body
}

// inbox receives what Argo CD's notifications controller sends, by the protocols
// of Slack, GitHub and mail.
type inbox struct {
	mu      sync.Mutex
	notices []Notice
}

func (i *inbox) add(n Notice) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.notices = append(i.notices, n)
}

func (i *inbox) list() []Notice {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Notice{}, i.notices...)
}

func (i *inbox) clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.notices = nil
}

// What senders must know: Slack's token is given to Argo CD by the suite, GitHub's
// to whoever comes with the App's key.
const (
	slackToken  = "xoxb-lab"
	githubToken = "ghs_lab"
)

// handler answers as Slack does below /slack/, and as GitHub below /api/v3/ and
// /app/.
func (i *inbox) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slack/chat.postMessage", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+slackToken && r.FormValue("token") != slackToken {
			answer(w, map[string]any{"ok": false, "error": "invalid_auth"})
			return
		}
		var attachments []struct {
			Title string `json:"title"`
			Text  string `json:"text"`
		}
		if err := json.Unmarshal([]byte(r.FormValue("attachments")), &attachments); err != nil || len(attachments) != 1 {
			answer(w, map[string]any{"ok": false, "error": "invalid_attachments"})
			return
		}
		i.add(Notice{Service: "slack", To: r.FormValue("channel"), Title: attachments[0].Title, Text: r.FormValue("text")})
		answer(w, map[string]any{"ok": true, "channel": r.FormValue("channel"), "ts": fmt.Sprintf("%d.000100", time.Now().Unix())})
	})
	mux.HandleFunc("POST /app/installations/{id}/access_tokens", func(w http.ResponseWriter, r *http.Request) {
		// A JSON web token, signed with the App's key.
		if strings.Count(r.Header.Get("Authorization"), ".") != 2 {
			http.Error(w, `{"message": "A JSON web token could not be decoded"}`, http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusCreated)
		answer(w, map[string]any{"token": githubToken, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)})
	})
	mux.HandleFunc("POST /api/v3/repos/{owner}/{repo}/statuses/{sha}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "token "+githubToken {
			http.Error(w, `{"message": "Bad credentials"}`, http.StatusUnauthorized)
			return
		}
		var in struct{ State, Description, Context string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		i.add(Notice{
			Service: "github", To: r.PathValue("owner") + "/" + r.PathValue("repo") + "@" + r.PathValue("sha"),
			Title: in.Context + ": " + in.State, Text: in.Description,
		})
		w.WriteHeader(http.StatusCreated)
		answer(w, in)
	})
	return mux
}

// NewSession makes the inbox a mail server's backend.
func (i *inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &letter{inbox: i}, nil }

// letter is one mail on its way in.
type letter struct {
	inbox *inbox
	to    []string
}

func (l *letter) Mail(string, *smtp.MailOptions) error { return nil }

func (l *letter) Rcpt(to string, _ *smtp.RcptOptions) error {
	l.to = append(l.to, to)
	return nil
}

func (l *letter) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	l.inbox.add(Notice{Service: "email", To: strings.Join(l.to, ","), Title: m.Header.Get("Subject"), Text: string(body)})
	return nil
}

func (l *letter) Reset() { l.to = nil }

func (l *letter) Logout() error { return nil }
