package sasl

import (
	"errors"
	"testing"

	xdg "github.com/xdg-go/scram"
)

type book map[string][]string // name: passwords

var salt = []byte("0123456789abcdef")

func (b book) Password(name, password string) (Login, error) {
	for i, p := range b[name] {
		if p == password {
			return Login{Address: name, AppPassword: uint32(i)}, nil
		}
	}
	return Login{}, ErrCredentials
}

func (book) Holds(Login) bool { return true }

func (book) Watch(func()) (stop func()) { return func() {} }

func (b book) SCRAM(name string) (Credentials, error) {
	c := Credentials{Salt: salt, Iterations: Iterations, Login: Login{Address: name}}
	for i, p := range b[name] {
		k, err := NewKey(p, salt, Iterations)
		if err != nil {
			return c, err
		}
		k.AppPassword = uint32(i)
		c.Keys = append(c.Keys, k)
	}
	return c, nil
}

var people = book{"zoe@coop.example": {"phone", "laptop"}}

func TestSCRAMWithAnotherImplementation(t *testing.T) {
	for _, c := range []struct {
		name, password string
		ok             bool
	}{
		{"zoe@coop.example", "phone", true}, {"zoe@coop.example", "laptop", true},
		{"zoe@coop.example", "wrong", false}, {"nobody", "phone", false},
	} {
		client, err := xdg.SHA256.NewClient(c.name, c.password, "")
		if err != nil {
			t.Fatal(err)
		}
		conv := client.NewConversation()
		srv, err := NewServer("SCRAM-SHA-256", people, nil)
		if err != nil {
			t.Fatal(err)
		}
		var challenge string
		for done := false; !done; {
			msg, err := conv.Step(challenge)
			if err != nil {
				t.Fatal(err)
			}
			var ch []byte
			ch, done, err = srv.Next([]byte(msg))
			if err != nil {
				if c.ok || !errors.Is(err, ErrCredentials) {
					t.Errorf("%s with %s: %v", c.name, c.password, err)
				}
				break
			}
			challenge = string(ch)
		}
		if !c.ok {
			continue
		}
		if _, err := conv.Step(challenge); err != nil || !conv.Valid() {
			t.Errorf("%s: the server's signature: %v", c.name, err)
		}
	}
}

func TestPlainAndLogin(t *testing.T) {
	s, _ := NewServer("plain", people, nil)
	if _, done, err := s.Next([]byte("\x00zoe@coop.example\x00phone")); !done || err != nil {
		t.Error(done, err)
	}
	s, _ = NewServer("LOGIN", people, nil)
	for i, step := range []struct{ say, hear string }{{"", "Username:"}, {"zoe@coop.example", "Password:"}, {"laptop", ""}} {
		ch, done, err := s.Next([]byte(step.say))
		if string(ch) != step.hear || done != (i == 2) || err != nil {
			t.Error(i, string(ch), done, err)
		}
	}
	if s.Login().AppPassword != 1 {
		t.Error("which password is not known")
	}
}

func FuzzSCRAM(f *testing.F) {
	f.Add("n,,n=zoe@coop.example,r=abcdefghijkl", "c=biws,r=abcdefghijkl,p=AAAA")
	f.Fuzz(func(t *testing.T, first, final string) {
		s, _ := NewServer("SCRAM-SHA-256", people, nil)
		if _, done, _ := s.Next([]byte(first)); done {
			t.Fatal("done after the first message")
		}
		if _, done, _ := s.Next([]byte(final)); done {
			t.Fatal("authenticated")
		}
	})
}
