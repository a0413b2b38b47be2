package build

import "testing"

func TestALineThatIsNotUTF8IsNotRepeated(t *testing.T) {
	t.Parallel()
	got := withoutEcho("env source files: [e.env]: line [112 61 104 255] has invalid utf8 bytes : p=hunter2\xff")
	if want := "env source files: [e.env]: a line of an env file is not UTF-8"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := withoutEcho("x \xff y"); got != "x � y" {
		t.Errorf("got %q, which is no text", got)
	}
}
