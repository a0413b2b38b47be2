package command

import (
	"errors"
	"testing"
)

func TestOnlyTheRepositorysOwnFolderIsLeftOutOfMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ root, text, want string }{
		{"/tmp/clone", "in /tmp/clone/a/images.yaml:3: wrong", "in a/images.yaml:3: wrong"},
		{"/tmp/clone", "resolve \"x\" in /tmp/clone: not found", "resolve \"x\" in the repository: not found"},
		{"/tmp/clone", "/tmp/clone", "the repository"},
		{"/nova", "manifests/nova/base/a.yaml: wrong", "manifests/nova/base/a.yaml: wrong"},
		{"/nova", "host.amazonaws.com/nova/auth-service: no image", "host.amazonaws.com/nova/auth-service: no image"},
		{"/nova", "host.amazonaws.com/nova-auth: no image, in /nova/a", "host.amazonaws.com/nova-auth: no image, in a"},
		{"/src", "open /src-2/a and /srcs: no such file", "open /src-2/a and /srcs: no such file"},
		{"/src", "'/src/a' and (/src/b), https://host/src/c", "'a' and (b), https://host/src/c"},
		{"", "a/b", "a/b"},
		{"/", "/a/b", "/a/b"},
	} {
		err := within(c.root, errors.New(c.text))
		if got := err.Error(); got != c.want {
			t.Errorf("in %q: %q becomes %q, want %q", c.root, c.text, got, c.want)
		}
	}
}
