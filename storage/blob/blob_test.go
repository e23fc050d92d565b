package blob

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"essaim.coop/essaim/internal/vfs"
)

// text is n bytes that compress as letters do.
func text(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	words := strings.Fields("the meeting of next thursday about our garden and kitchen is moved to friday please bring bread")
	var b []byte
	for len(b) < n {
		b = append(append(b, words[rng.IntN(len(words))]...), ' ')
	}
	return b[:n]
}

func staged(t testing.TB, raw []byte) *Staged {
	t.Helper()
	w := NewWriter(vfs.OS, t.TempDir())
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPackedBodiesComeBack(t *testing.T) {
	for _, n := range []int{600, HeadSize - 1, HeadSize, HeadSize + 1, 2 * HeadSize, 2*HeadSize + 1, 100_000, MaxSmall} {
		raw := text(n)
		s := staged(t, raw)
		if !s.Compressed || len(s.Stored) > n*2/3 {
			t.Errorf("%d bytes are stored as %d, compressed %v", n, len(s.Stored), s.Compressed)
		}
		got, err := io.ReadAll(NewPackedReader(s.Stored, s.Size))
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%d bytes came back as %d, %v", n, len(got), err)
		}
		r := NewPackedReader(s.Stored, s.Size)
		for _, at := range []struct{ off, n int }{{0, 100}, {HeadSize - 10, 10}, {HeadSize - 10, 20}, {n - 5, 5}, {n - 5, 50}, {n, 1}} {
			p := make([]byte, at.n)
			got, err := r.ReadAt(p, int64(at.off))
			want := raw[min(at.off, n):min(at.off+at.n, n)]
			if got != len(want) || !bytes.Equal(p[:got], want) || (err != nil) != (got < at.n) || err != nil && !errors.Is(err, io.EOF) {
				t.Errorf("%d bytes: %d at %d: %q, %v; want %q", n, at.n, at.off, p[:got], err, want)
			}
		}
	}
}

// The head of a body costs its own bytes, not the whole.
func TestHeadIsReadAlone(t *testing.T) {
	raw := text(MaxSmall)
	s := staged(t, raw)
	r := NewPackedReader(s.Stored, s.Size)
	p := make([]byte, HeadSize)
	if n, err := r.ReadAt(p, 0); n != HeadSize || err != nil || !bytes.Equal(p, raw[:HeadSize]) {
		t.Fatalf("%d, %v", n, err)
	}
	if r.mem != nil {
		t.Error("the rest was expanded, too")
	}
	// and is there although the rest is damaged, which is told
	bad := bytes.Clone(s.Stored)
	for i := len(bad) / 2; i < len(bad); i++ {
		bad[i] ^= 0x55
	}
	r = NewPackedReader(bad, s.Size)
	if _, err := r.ReadAt(p, 0); err != nil || !bytes.Equal(p, raw[:HeadSize]) {
		t.Errorf("head: %v", err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged body: %v", err)
	}
}

func TestReadersAreShared(t *testing.T) {
	raw := text(300_000)
	s := staged(t, raw)
	r := NewPackedReader(s.Stored, s.Size)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 2))
			p := make([]byte, 1000)
			for range 200 {
				off := rng.IntN(len(raw) - len(p))
				if n, err := r.ReadAt(p, int64(off)); n != len(p) || err != nil || !bytes.Equal(p, raw[off:off+n]) {
					t.Errorf("at %d: %d, %v", off, n, err)
				}
			}
		})
	}
	wg.Wait()
}

// What is shed is used again by the next body, and the stored form stays whole.
func TestShed(t *testing.T) {
	for _, n := range []int{600, 30_000, 3 * keptMemory} {
		first := text(n)
		s := staged(t, first)
		s.Shed()
		other := staged(t, bytes.Repeat([]byte("other "), n/6))
		other.Shed()
		r, err := s.Reader()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, first) {
			t.Errorf("%d bytes came back as %d, %v", n, len(got), err)
		}
	}
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	s := staged(t, noise)
	s.Shed() // there is nothing but the bytes themselves
	_ = staged(t, text(5000))
	if r, err := s.Reader(); err != nil || s.Compressed {
		t.Error(err, s.Compressed)
	} else if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, noise) {
		t.Errorf("came back as %d bytes, %v", len(got), err)
	}
}

func FuzzExpandHead(f *testing.F) {
	f.Add(staged(f, text(50_000)).Stored)
	f.Add(staged(f, bytes.Repeat([]byte{'x'}, 50_000)).Stored)
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, stored []byte) {
		if head := expandHead(stored); head != nil && len(head) != HeadSize {
			t.Fatalf("%d bytes", len(head))
		}
	})
}

func BenchmarkHeadOfAMegabyte(b *testing.B) {
	s := staged(b, text(MaxSmall))
	p := make([]byte, 2000)
	for b.Loop() {
		_, _ = NewPackedReader(s.Stored, s.Size).ReadAt(p, 0)
	}
}

// counted counts what is read of a file.
type counted struct {
	vfs.File
	bytes atomic.Int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.File.ReadAt(p, off)
	c.bytes.Add(int64(n))
	return n, err
}

// A large body is read from its file once, however small the pieces; what is
// damaged is told of every time, and only there.
func TestLargeBodiesInPieces(t *testing.T) {
	raw := text(MaxSmall + ChunkSize/2)
	s := staged(t, raw)
	r, err := OpenFile(vfs.OS, s.Path, s.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file := &counted{File: r.file}
	r.file = file
	for _, size := range []int{1000, 32 << 10, ChunkSize, ChunkSize + 1} {
		file.bytes.Store(0)
		var got []byte
		for p := make([]byte, size); len(got) < len(raw); {
			n, err := r.ReadAt(p, int64(len(got)))
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			got = append(got, p[:n]...)
		}
		if !bytes.Equal(got, raw) || file.bytes.Load() > s.Size+ChunkSize {
			t.Errorf("in pieces of %d: %d bytes, of which the file was read %d", size, len(got), file.bytes.Load())
		}
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 3))
			for range 100 {
				p := make([]byte, 1+rng.IntN(100_000))
				off := rng.IntN(len(raw) - len(p))
				if n, err := r.ReadAt(p, int64(off)); n != len(p) || err != nil || !bytes.Equal(p, raw[off:off+n]) {
					t.Errorf("at %d: %d, %v", off, n, err)
				}
			}
		})
	}
	wg.Wait()

	rw, err := vfs.OS.Open(s.Path, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer rw.Close()
	if _, err := rw.WriteAt([]byte{'#'}, 3*ChunkSize+7); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if _, err := r.ReadAt(p, 5*ChunkSize); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := r.ReadAt(p, 3*ChunkSize+100); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a damaged chunk: %v", err)
		}
	}
	if n, err := r.ReadAt(p, 5*ChunkSize); err != nil || !bytes.Equal(p[:n], raw[5*ChunkSize:][:n]) {
		t.Errorf("behind it: %v", err)
	}
}

// A large body need not have a sum. In whatever pieces it comes, its bytes come
// back and its print is that of the bytes.
func TestSumSmall(t *testing.T) {
	large := text(MaxSmall + 3*ChunkSize + 17)
	var prints [][]byte
	for _, piece := range []int{1000, ChunkSize, 2*ChunkSize + 1, len(large)} {
		w := NewWriter(vfs.OS, t.TempDir())
		w.SumSmall()
		for rest := large; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			if _, err := w.Write(rest[:min(piece, len(rest))]); err != nil {
				t.Fatal(err)
			}
		}
		s, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Bytes(); err != nil || !bytes.Equal(got, large) {
			t.Errorf("pieces of %d: %d bytes came back, %v", piece, len(got), err)
		}
		if s.Sum != ([32]byte{}) {
			t.Errorf("a sum %x", s.Sum)
		}
		prints = append(prints, s.Print)
	}
	with := staged(t, large)
	large[MaxSmall]++
	if other := staged(t, large).Print; bytes.Equal(other, with.Print) {
		t.Errorf("another byte has print %x, too", other)
	}
	for _, p := range prints {
		if len(p) == 0 || !bytes.Equal(p, with.Print) {
			t.Errorf("print %x, must be %x", p, with.Print)
		}
	}
	w := NewWriter(vfs.OS, t.TempDir())
	w.SumSmall()
	_, _ = w.Write([]byte("small"))
	if s, err := w.Finish(); err != nil || s.Sum != staged(t, []byte("small")).Sum {
		t.Errorf("a small body: %v, %x", err, s.Sum)
	}
}
