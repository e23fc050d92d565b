package trace

import (
	"strings"
	"testing"
)

func TestRingKeepsTheNewestAndTracesAreBounded(t *testing.T) {
	r := NewRing("smtp")
	for range ringSize + 5 {
		r.New("192.0.2.1")
	}
	last := r.New("192.0.2.9")
	for range maxEvents + 3 {
		last.Event("rejected", "code", 550)
	}
	got := r.Recent()
	if len(got) != ringSize || got[0] != last {
		t.Fatalf("kept %d traces, newest %s", len(got), got[0].ID)
	}
	if s := last.String(); !strings.Contains(s, "rejected code=550") || !strings.Contains(s, "and 3 more") {
		t.Errorf("trace reads %q", s)
	}
}
