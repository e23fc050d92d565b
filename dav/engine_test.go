package dav_test

import (
	"testing"

	"essaim.coop/essaim/dav/davtest"
)

func house(tb testing.TB) *davtest.House {
	h := davtest.New(tb)
	davtest.NewToy(h, "/dav/toy/", "anna")
	return h
}

func TestTranscripts(t *testing.T) {
	davtest.Transcripts(t, "testdata/*.txt", func(t *testing.T) *davtest.House { return house(t) })
}
