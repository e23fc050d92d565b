package message_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/format/message/messagetest"
)

// A structure is what testdata/structure.py prints.
type structure struct {
	Type, Subtype         string
	Params, DParams       [][2]string
	ID, Description       string
	Encoding, Disposition string
	Size, Lines           *int64
	Parts                 []*structure
	Message               *structure
	Envelope              []any
}

// Well-formed messages of every shape are taken apart as another does it.
func TestAgainstPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	const n = 12 * messagetest.Shapes
	var in bytes.Buffer
	for i := range n {
		m := messagetest.Message(i)
		fmt.Fprintf(&in, "%d\n%s", len(m), m)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/structure.py")
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	i := 0
	for ; lines.Scan(); i++ {
		var theirs struct {
			Envelope  []any
			Structure *structure
		}
		if err := json.Unmarshal(lines.Bytes(), &theirs); err != nil {
			t.Fatal(err)
		}
		root := message.ScanBytes(messagetest.Message(i))
		at := fmt.Sprintf("message %d", i)
		compare(t, at, root, theirs.Structure)
		compareEnvelope(t, at, root.Header, theirs.Envelope)
	}
	if i != n {
		t.Fatalf("%d of %d messages", i, n)
	}
}

func compare(t *testing.T, at string, p *message.Part, s *structure) {
	t.Helper()
	ours := structure{Type: p.Type, Subtype: p.Subtype, Params: pairs(p.Params), ID: p.ID, Description: p.Description,
		Encoding: strings.ToLower(p.Encoding), Disposition: p.Disposition, DParams: pairs(p.DispositionParams)}
	theirs := *s
	theirs.Size, theirs.Lines, theirs.Parts, theirs.Message, theirs.Envelope = nil, nil, nil, nil, nil
	theirs.Params, theirs.DParams = append([][2]string{}, theirs.Params...), append([][2]string{}, theirs.DParams...)
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("%s:\n ours   %+v\n theirs %+v", at, ours, theirs)
	}
	if s.Size != nil && (p.End-p.BodyStart != *s.Size || p.Lines != *s.Lines) {
		t.Errorf("%s, %s/%s: %d bytes and %d lines, they say %d and %d", at, p.Type, p.Subtype, p.End-p.BodyStart, p.Lines, *s.Size, *s.Lines)
	}
	if len(p.Children) != len(s.Parts) || (p.Message != nil) != (s.Message != nil) {
		t.Errorf("%s: %d parts, they say %d; a message %v", at, len(p.Children), len(s.Parts), p.Message != nil)
		return
	}
	for i, c := range p.Children {
		compare(t, fmt.Sprintf("%s.%d", at, i+1), c, s.Parts[i])
	}
	if p.Message != nil {
		compare(t, at+".m", p.Message, s.Message)
		compareEnvelope(t, at+".m", p.Message.Header, s.Envelope)
	}
}

func pairs(ps []message.Param) [][2]string {
	out := [][2]string{}
	for _, p := range ps {
		out = append(out, [2]string{strings.ToLower(p.Name), p.Value})
	}
	return out
}

// compareEnvelope reads our ENVELOPE back as a client does.
func compareEnvelope(t *testing.T, at string, header []byte, theirs []any) {
	t.Helper()
	wire := string(message.AppendEnvelope(nil, header))
	got, rest := value(wire)
	if rest != "" {
		t.Fatalf("%s: %q is left of %s", at, rest, wire)
	}
	ours := got.([]any)
	for i := range ours {
		switch v := ours[i].(type) {
		case nil:
			if i >= 2 && i <= 7 {
				ours[i] = []any{}
			} else {
				ours[i] = ""
			}
		case []any:
			var list []any
			for _, a := range v {
				a := a.([]any)
				name, _ := a[0].(string)
				list = append(list, []any{name, a[2].(string) + "@" + a[3].(string)})
			}
			ours[i] = list
		}
	}
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("%s:\n ours   %q\n theirs %q", at, ours, theirs)
	}
}

// value reads NIL, a quoted string or a list.
func value(s string) (any, string) {
	switch {
	case strings.HasPrefix(s, "NIL"):
		return nil, s[3:]
	case s[0] == '"':
		var b strings.Builder
		for i := 1; ; i++ {
			switch s[i] {
			case '"':
				return b.String(), s[i+1:]
			case '\\':
				i++
			}
			b.WriteByte(s[i])
		}
	}
	out := []any{}
	for s = s[1:]; s[0] != ')'; s = strings.TrimPrefix(s, " ") {
		var v any
		v, s = value(s)
		out = append(out, v)
	}
	return out, s[1:]
}
