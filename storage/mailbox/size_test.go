package mailbox

import (
	"fmt"
	"path/filepath"
	"testing"

	"essaim.coop/essaim/format/message/messagetest"
	"essaim.coop/essaim/storage"

	bolt "go.etcd.io/bbolt"
)

// What the index takes for one message, in rows and in pages of the tree's
// file, with everything the floor keeps beside it.
func TestIndexBytesPerMessage(t *testing.T) {
	const most = 600
	dir := t.TempDir()
	db, err := storage.Open(dir, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db}
	h.update(func(tx *storage.Tx) error {
		h.a = tx.CreateAccount(tx.CreateHousehold(0))
		return Ensure(tx, h.a, now)
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := treeBytes(t, dir)
	if h.db, err = storage.Open(dir, storage.Options{}); err != nil {
		t.Fatal(err)
	}
	n := 2000
	rows := 0
	for i := 0; i < n; i += 50 {
		var batch []*Incoming
		for k := i; k < i+50; k++ {
			in := h.incoming(string(messagetest.Everyday(k)), fmt.Sprintf("Return-Path: <bounce-%d@lists.example.org>\r\n"+
				"Received: from mx.example.net ([192.0.2.7])\r\n\tby coop.example with ESMTPS id s%x\r\n\t(TLS1.3 TLS_AES_128_GCM_SHA256)\r\n\tfor <zoe@coop.example>; Tue, 24 Nov 2026 10:00:00 +0000\r\n"+
				"Authentication-Results: coop.example; dkim=pass header.d=example.net;\r\n\tspf=pass smtp.mailfrom=example.net; dmarc=pass header.from=example.net\r\n", k, k*7919))
			rows += len(in.rest)
			batch = append(batch, in)
		}
		for _, in := range batch { // one commit each, as mail comes
			h.update(func(tx *storage.Tx) error {
				_, err := Append(tx, h.box(tx, h.a, "INBOX"), in, nil, now, now)
				return err
			})
		}
	}
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
	pages := (treeBytes(t, dir) - before) / int64(n)
	t.Logf("a message: %d bytes packed, %d bytes of pages", rows/n, pages)
	if pages > most {
		t.Errorf("%d bytes of pages, want %d at most", pages, most)
	}
}

// treeBytes is how many bytes of the tree's file are pages in use.
func treeBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, "tree.db"), 0o600, &bolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			st := b.Stats()
			n += int64(st.BranchAlloc + st.LeafAlloc)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
