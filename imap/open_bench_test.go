package imap

import (
	"bufio"
	"bytes"
	"fmt"
	"testing"

	"essaim.coop/essaim/format/message/messagetest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// fill puts n everyday messages into zoe's INBOX.
func (h *house) fill(b *testing.B, n int) {
	b.Helper()
	for i := 0; i < n; {
		var batch []*mailbox.Incoming
		for range min(200, n-i) {
			w := h.db.Stage()
			_, _ = w.Write(messagetest.Everyday(i))
			staged, err := w.Finish()
			must(b, err)
			in, err := mailbox.PrepareWith(staged, []byte("Return-Path: <x@example.org>\r\n"))
			must(b, err)
			batch = append(batch, in)
			i++
		}
		must(b, h.db.Update(func(tx *storage.Tx) error {
			box, err := mailbox.Open(tx, h.zoe, "INBOX")
			if err != nil {
				return err
			}
			for _, in := range batch {
				if _, err := mailbox.Append(tx, box, in, nil, now, now); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// BenchmarkOpen is what clients ask of a mailbox they have not seen, or search
// or mark in one they know: CPU, client's included, for each message.
func BenchmarkOpen(b *testing.B) {
	const n = 10_000
	h := newHouse(b)
	h.fill(b, n)
	for _, c := range []struct{ name, command string }{
		{"flags", "UID FETCH 1:* (FLAGS)"},
		{"thunderbird", "UID FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])"},
		{"apple", "UID FETCH 1:* (INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (date subject from to cc message-id in-reply-to references content-type x-priority x-uniform-type-identifier x-universally-unique-identifier list-id list-unsubscribe bimi-indicator bimi-location x-bimi-indicator-hash authentication-results dkim-signature)])"},
		{"envelope", "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"},
		{"bodies", "UID FETCH 1:* (UID FLAGS BODY.PEEK[])"},
		{"search-subject", `UID SEARCH SUBJECT "vergadering over"`},
		{"search-body", `UID SEARCH BODY "pneumatique"`},
		{"search-unseen", "UID SEARCH UNSEEN"},
		{"store-1000", `STORE 1:1000 +FLAGS.SILENT (\Answered)`},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := h.in(b, "INBOX")
			br := bufio.NewReaderSize(p.nc, 256<<10)
			before := cpu()
			for i := 0; b.Loop(); i++ {
				command := c.command
				if c.name == "store-1000" && i%2 == 1 {
					command = `STORE 1:1000 -FLAGS.SILENT (\Answered)`
				}
				fmt.Fprintf(p.nc, "b %s\r\n", command)
				for {
					l, err := br.ReadSlice('\n')
					if err != nil && err != bufio.ErrBufferFull {
						b.Fatal(err)
					}
					if bytes.HasPrefix(l, []byte("b ")) {
						if !bytes.HasPrefix(l, []byte("b OK")) {
							b.Fatalf("%s", l)
						}
						break
					}
				}
			}
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N)/n, "µs-cpu/msg")
		})
	}
}
