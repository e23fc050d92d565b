package mailbox

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"essaim.coop/essaim/format/message/messagetest"
	"essaim.coop/essaim/storage"
)

func TestFold(t *testing.T) {
	for _, c := range [][2]string{
		{"ÉTÉ", "e\u0301te\u0301"}, {"plain TEXT", "plain text"}, {"Straße", "straße"}, {"ΣΑΣ", "σασ"}, {"\xff", "\ufffd"}, {"ﬁn", "fin"},
	} {
		if got := string(Fold(nil, []byte(c[0]))); got != c[1] {
			t.Errorf("%q is folded to %q, want %q", c[0], got, c[1])
		}
	}
}

func TestFoldOfEveryByte(t *testing.T) {
	var all, want []byte
	for c := range 128 {
		for k := range 9 { // at every place of a word
			all = append(append(all, strings.Repeat("-", k)...), byte(c))
			want = append(append(want, strings.Repeat("-", k)...), bytes.ToLower([]byte{byte(c)})...)
		}
	}
	if got := Fold(nil, all); !bytes.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever is in a text is in its signature, and most of what is not is not.
func TestSignatures(t *testing.T) {
	h := newHouse(t)
	var s Signer
	rng := rand.New(rand.NewPCG(1, 2))
	wrong, asked := 0, 0
	for i := range 3 * messagetest.Shapes {
		in := h.incoming(string(messagetest.Message(i)), "X-Prefix: yes\r\n")
		var id MsgID
		h.update(func(tx *storage.Tx) error {
			box := h.box(tx, h.a, "INBOX")
			uid, err := Append(tx, box, in, nil, now, now)
			m, _ := get(tx, box, uid)
			id = m.Body
			return err
		})
		var c Cold
		if err := h.db.View(func(tx *storage.Tx) error { return c.Read(tx, id, JustPrefix) }); err != nil {
			t.Fatal(err)
		}
		body, err := OpenBody(h.db, c.Prefix(), c.Blob)
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		s.Reset()
		if err := body.Text(0, func(piece []byte, _ bool) bool {
			s.Add(piece)
			text = append(append(text, piece...), 0)
			return true
		}); err != nil {
			t.Fatal(err)
		}
		_ = body.Close()
		sig := s.Append(nil)
		if len(sig) > max(leastBits/8, len(text)) {
			t.Errorf("message %d: %d bytes of signature for %d of text", i, len(sig), len(text))
		}
		if !TrigramsOf([]byte("x-prefix: yes")).MayBeIn(sig) || !TrigramsOf(nil).MayBeIn(sig) {
			t.Errorf("message %d: its own fields are not in it", i)
		}
		for range 50 {
			at := rng.IntN(len(text) - 10)
			if piece := text[at : at+8]; bytes.IndexByte(piece, 0) < 0 && !TrigramsOf(piece).MayBeIn(sig) {
				t.Errorf("message %d: %q is not in the signature", i, piece)
			}
			if asked++; TrigramsOf(fmt.Appendf(nil, "%d%c%d", rng.IntN(1e6), 'g'+rng.IntN(20), rng.IntN(100))).MayBeIn(sig) {
				wrong++
			}
		}
		h.update(func(tx *storage.Tx) error { PutSignature(tx, id, sig); PutSignature(tx, id+1000, sig); return nil })
	}
	if wrong > asked/50 {
		t.Errorf("%d of %d strange words may be there", wrong, asked)
	}
}

// Signatures come for the messages asked for, however they lie.
func TestSignaturesInOrder(t *testing.T) {
	h := newHouse(t)
	have := map[MsgID]bool{}
	rng := rand.New(rand.NewPCG(3, 4))
	h.update(func(tx *storage.Tx) error {
		for range 300 {
			id := MsgID(1 + rng.IntN(900))
			have[id] = true
			putCold(tx, id, 0, nil)
			PutSignature(tx, id, bytes.Repeat([]byte{byte(id)}, 32))
		}
		return nil
	})
	_ = h.db.View(func(tx *storage.Tx) error {
		for _, n := range []int{0, 1, 5, 200, 800} {
			var ids []MsgID
			for range n {
				ids = append(ids, MsgID(1+rng.IntN(1000)))
			}
			slices.Sort(ids)
			ids = slices.Compact(ids)
			next := 0
			Signatures(tx, ids, func(i int, sig []byte) {
				if i != next || (sig != nil) != have[ids[i]] || sig != nil && sig[0] != byte(ids[i]) {
					t.Fatalf("place %d (want %d), message %d: %x", i, next, ids[i], sig)
				}
				next++
			})
			if next != len(ids) {
				t.Fatalf("%d of %d", next, len(ids))
			}
		}
		return nil
	})
	h.update(func(tx *storage.Tx) error {
		for id := range have {
			tx.Delete(coldKey(id))
			tx.Delete(signatureKey(id))
		}
		return nil
	})
}

// A text in pieces is told whole: what spans two pieces is in one of them.
func TestTextInPieces(t *testing.T) {
	h := newHouse(t)
	var raw bytes.Buffer
	for i := range 8000 {
		fmt.Fprintf(&raw, "é%05d ", i)
	}
	msg := "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	enc := base64.StdEncoding.EncodeToString(raw.Bytes())
	for len(enc) > 76 {
		msg, enc = msg+enc[:76]+"\r\n", enc[76:]
	}
	in := h.incoming(msg+enc+"\r\n", "")
	var id MsgID
	h.update(func(tx *storage.Tx) error {
		box := h.box(tx, h.a, "INBOX")
		_, err := Append(tx, box, in, nil, now, now)
		m, _ := get(tx, box, 1)
		id = m.Body
		return err
	})
	var c Cold
	_ = h.db.View(func(tx *storage.Tx) error { return c.Read(tx, id, JustPrefix) })
	body, err := OpenBody(h.db, c.Prefix(), c.Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	found, pieces := map[int]bool{}, 0
	if err := body.Text(10, func(piece []byte, header bool) bool {
		if pieces++; bytes.Contains(piece, []byte("\ufffd")) {
			t.Error("a letter was cut in two")
		}
		for i := range 8000 {
			if !found[i] && bytes.Contains(piece, Fold(nil, fmt.Appendf(nil, "é%05d", i))) {
				found[i] = true
			}
		}
		return true
	}); err != nil || len(found) != 8000 || pieces < 3 {
		t.Errorf("%d words in %d pieces, %v", len(found), pieces, err)
	}
}

func BenchmarkFold(b *testing.B) {
	text := bytes.Repeat([]byte("The Meeting of next Thursday, about the Budget of the café. "), 300)
	b.SetBytes(int64(len(text)))
	var out []byte
	for b.Loop() {
		out = Fold(out[:0], text)
	}
}
