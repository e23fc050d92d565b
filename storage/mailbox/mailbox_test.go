package mailbox

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

var now = time.Unix(1_800_000_000, 0)

type house struct {
	t    testing.TB
	db   *storage.DB
	a, b storage.AccountID
}

func newHouse(t testing.TB) *house {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db}
	h.update(func(tx *storage.Tx) error {
		h.a, h.b = tx.CreateAccount(tx.CreateHousehold(0)), tx.CreateAccount(tx.CreateHousehold(20_000))
		for _, a := range []storage.AccountID{h.a, h.b} {
			if err := Ensure(tx, a, now); err != nil {
				return err
			}
		}
		return nil
	})
	t.Cleanup(func() {
		r, err := db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: []storage.CheckHook{Check}})
		if err != nil || !r.Clean() {
			t.Errorf("check: %v %q", err, r.Problems)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) update(fn func(*storage.Tx) error) {
	h.t.Helper()
	if err := h.db.Update(fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) incoming(msg, prefix string) *Incoming {
	h.t.Helper()
	w := h.db.Stage()
	if _, err := io.WriteString(w, msg); err != nil {
		h.t.Fatal(err)
	}
	s, err := w.Finish()
	if err != nil {
		h.t.Fatal(err)
	}
	in, err := PrepareWith(s, []byte(prefix))
	if err != nil {
		h.t.Fatal(err)
	}
	return in
}

func (h *house) box(tx *storage.Tx, a storage.AccountID, name string) *Mailbox {
	h.t.Helper()
	b, err := Open(tx, a, name)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

const sample = "Received: by x\r\nFrom: Zo\xc3\xa9 <z@e.org>\r\nTo: \"A \\\"B\\\"\" <a@b.example>, c@d.example\r\n" +
	"Subject: a rather long\r\n subject\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1234567@e.org>\r\nX-Other: no\r\n\r\nbody\r\n"

// One message for two members is stored once and comes back byte for byte; what
// the index answers is what the message says.
func TestOneMessageTwoMembers(t *testing.T) {
	h := newHouse(t)
	in := h.incoming(sample, "Return-Path: <z@e.org>\r\n")
	h.update(func(tx *storage.Tx) error {
		for _, a := range []storage.AccountID{h.a, h.b} {
			if _, err := Append(tx, h.box(tx, a, "inbox"), in, []string{`\Seen`, "$Work"}, now, now); err != nil {
				return err
			}
		}
		return nil
	})
	if n := h.db.Stats().Blobs; n > 1 {
		t.Errorf("%d bodies", n)
	}
	var c Cold
	if err := h.db.View(func(tx *storage.Tx) error {
		box := h.box(tx, h.b, "INBOX")
		m, ok := get(tx, box, 1)
		if !ok || fmt.Sprint(box.FlagNames(m.Flags)) != `[\Seen $Work]` || box.Unseen != 0 {
			t.Errorf("message %+v, unseen %d", m, box.Unseen)
		}
		err := c.Read(tx, m.Body, Everything)
		if got := string(c.AppendEnvelope(nil)); !strings.Contains(got, `"a rather long subject"`) || !strings.Contains(got, `"A \"B\"" NIL "a" "b.example"`) {
			t.Errorf("envelope %s", got)
		}
		fields, ok := c.AppendFields(nil, []string{"subject", "from", "x-priority"})
		if want := "From: Zo\xc3\xa9 <z@e.org>\r\nSubject: a rather long\r\n subject\r\n\r\n"; !ok || string(fields) != want {
			t.Errorf("fields %q, %v", fields, ok)
		}
		if Keeps([]string{"subject", "x-other"}) || !Keeps([]string{"subject", "from"}) {
			t.Error("the index answers for a field it does not keep")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	body, err := OpenBody(h.db, c.Prefix(), c.Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body.Reader()); err != nil || string(got) != "Return-Path: <z@e.org>\r\n"+sample {
		t.Errorf("body %q, %v", got, err)
	}
}

func TestQuotaRefusesTheWholeDelivery(t *testing.T) {
	h := newHouse(t)
	in := h.incoming(sample+strings.Repeat("x", 30_000), "")
	err := h.db.Update(func(tx *storage.Tx) error {
		for _, a := range []storage.AccountID{h.a, h.b} {
			if _, err := Append(tx, h.box(tx, a, "INBOX"), in, nil, now, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		t.Fatal("a delivery over quota went through")
	}
	in.Discard()
	_ = h.db.View(func(tx *storage.Tx) error {
		if n := h.box(tx, h.a, "INBOX").Count; n != 0 {
			t.Errorf("half of it is there: %d", n)
		}
		return nil
	})
}

func TestRenameMovesChildrenAndEmptiesINBOX(t *testing.T) {
	h := newHouse(t)
	in := h.incoming(sample, "")
	h.update(func(tx *storage.Tx) error {
		if _, err := Create(tx, h.a, "Work/Käse/2026", "", now); err != nil {
			return err
		}
		if err := Rename(tx, h.a, "Work", "Old", now); err != nil {
			return err
		}
		if _, err := Append(tx, h.box(tx, h.a, "INBOX"), in, nil, now, now); err != nil {
			return err
		}
		return Rename(tx, h.a, "INBOX", "Kept", now)
	})
	_ = h.db.View(func(tx *storage.Tx) error {
		var names []string
		boxes, err := List(tx, h.a)
		for _, b := range boxes {
			names = append(names, b.Name)
		}
		if want := "Archive Drafts INBOX Junk Kept Old Old/Käse Old/Käse/2026 Sent Trash"; strings.Join(names, " ") != want {
			t.Errorf("names %q", names)
		}
		if h.box(tx, h.a, "Kept").Count != 1 || h.box(tx, h.a, "INBOX").Count != 0 {
			t.Error("INBOX was not emptied into Kept")
		}
		return err
	})
	for _, bad := range []string{"", "/", "a//b", "a\x01", strings.Repeat("x", 500)} {
		if _, err := Canonical(bad); err == nil {
			t.Errorf("%q is a name", bad)
		}
	}
}

// Random operations against a model: messages, flags, counters and views.
func TestModel(t *testing.T) {
	h := newHouse(t)
	rng := rand.New(rand.NewPCG(4, 4))
	views := NewViews(1 << 12)
	type entry struct{ flags Flags }
	model := map[string]map[storage.ItemID]entry{"INBOX": {}, "Archive": {}}
	ids := map[string]storage.CollectionID{}
	names := []string{"INBOX", "Archive"}
	for range 500 {
		name := names[rng.IntN(2)]
		other := names[rng.IntN(2)]
		a, b := storage.ItemID(rng.IntN(60)), storage.ItemID(rng.IntN(60))
		rs := []storage.Range{{From: min(a, b), To: max(a, b)}}
		in := h.incoming(sample, "")
		h.update(func(tx *storage.Tx) error {
			box := h.box(tx, h.a, name)
			ids[name] = box.ID
			switch rng.IntN(6) {
			case 0, 1:
				uid, err := Append(tx, box, in, nil, now, now)
				model[name][uid] = entry{}
				return err
			case 2:
				op, f := Op(rng.IntN(3)), []string{`\Seen`, `\Deleted`}[rng.IntN(2)]
				_, _, err := SetFlags(tx, box, rs, FlagChange{Op: op, Flags: []string{f}, May: AllFlags})
				bit := box.Bits([]string{f})
				for uid, e := range model[name] {
					if uid >= rs[0].From && uid <= rs[0].To {
						switch op {
						case Set:
							e.flags = bit
						case Add:
							e.flags |= bit
						case Clear:
							e.flags &^= bit
						}
						model[name][uid] = e
					}
				}
				return err
			case 3:
				gone, err := Expunge(tx, box, rs)
				for _, r := range gone {
					for uid := r.From; uid <= r.To; uid++ {
						if model[name][uid].flags&Deleted == 0 {
							t.Errorf("%d was not marked", uid)
						}
						delete(model[name], uid)
					}
				}
				return err
			default:
				move := rng.IntN(2) == 0
				how := Copy
				if move {
					how = Move
				}
				rs[0].To = min(rs[0].To, rs[0].From+3)
				pairs, err := how(tx, box, h.box(tx, h.a, other), rs, AllFlags, now)
				for _, p := range pairs {
					model[other][p.To] = model[name][p.From]
					if move {
						delete(model[name], p.From)
					}
				}
				return err
			}
		})
		in.Discard()
		for name, id := range ids {
			v, err := views.Get(h.db, id)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]storage.ItemID, 0, len(model[name]))
			for uid := range model[name] {
				want = append(want, uid)
			}
			slices.Sort(want)
			if v.Len() != len(want) {
				t.Fatalf("%s: %d messages, want %d", name, v.Len(), len(want))
			}
			for i, uid := range want {
				if v.UID(uint32(i+1)) != uid || v.Seq(uid) != uint32(i+1) {
					t.Fatalf("%s: number %d is %d, want %d", name, i+1, v.UID(uint32(i+1)), uid)
				}
			}
		}
	}
	_ = h.db.View(func(tx *storage.Tx) error {
		for _, name := range names {
			Scan(tx, h.box(tx, h.a, name), 1, ^storage.ItemID(0), func(m Message) bool {
				if m.Flags != model[name][m.UID].flags {
					t.Errorf("%s %d: flags %b, want %b", name, m.UID, m.Flags, model[name][m.UID].flags)
				}
				return true
			})
		}
		return nil
	})
}

func FuzzCold(f *testing.F) {
	root := message.ScanBytes([]byte(sample))
	f.Add(append(make([]byte, 1), appendCold(nil, &Incoming{Staged: &blob.Staged{Size: 99}, Prefix: []byte("A: b\r\n"), Header: root.Header, Root: root})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Cold
		if c.parse(b, Everything) {
			c.AppendFields(c.AppendEnvelope(nil), []string{"subject"})
			_, _ = c.Parts()
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	h := newHouse(b)
	msg := sample + strings.Repeat("some words in a line of a letter\r\n", 600)
	b.ReportAllocs()
	for b.Loop() {
		in := h.incoming(msg, "Return-Path: <>\r\n")
		h.update(func(tx *storage.Tx) error {
			_, err := Append(tx, h.box(tx, h.a, "INBOX"), in, nil, now, now)
			return err
		})
	}
}

func get(tx *storage.Tx, box *Mailbox, uid storage.ItemID) (Message, bool) {
	return unmarshal(uid, tx.Item(box.ID, uid))
}
