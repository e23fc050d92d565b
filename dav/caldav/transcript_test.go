package caldav

import (
	"testing"

	"essaim.coop/essaim/dav/davtest"
)

// What programs say and are answered, as they have been seen to.
func TestTranscripts(t *testing.T) {
	davtest.Transcripts(t, "testdata/*.txt", func(t *testing.T) *davtest.House { return newHouse(t).House })
}
