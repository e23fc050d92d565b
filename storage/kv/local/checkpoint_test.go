package local

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"essaim.coop/essaim/storage/kv"
)

// BenchmarkCheckpoint writes 10,000 changes into a tree of 200,000 rows: all
// over it, as a day of many members, or at one end, as mail that is moved in.
func BenchmarkCheckpoint(b *testing.B) {
	const rows, changes = 200_000, 10_000
	key := func(i int) []byte { return fmt.Appendf(nil, "%08d row of a table", i) }
	for name, pick := range map[string]func(*rand.Rand, int) int{
		"spread":     func(r *rand.Rand, _ int) int { return r.IntN(rows) },
		"at the end": func(_ *rand.Rand, i int) int { return rows + i },
	} {
		b.Run(name, func(b *testing.B) {
			db := open(b, b.TempDir(), Options{Overlay: 1 << 40, Replay: 1 << 40, Spare: -1, Ballast: -1})
			defer db.Close()
			rng, value := rand.New(rand.NewPCG(1, 1)), make([]byte, 60)
			fill := func(n int, pick func(int) int) {
				if err := db.Update(func(tx kv.Tx) error {
					for i := range n {
						tx.Put(key(pick(i)), value)
					}
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			fill(rows, func(i int) int { return i })
			if err := db.Checkpoint(); err != nil {
				b.Fatal(err)
			}
			before, n := db.Stats().Written.Tree, 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				fill(changes, func(i int) int { return pick(rng, n+i) })
				n += changes
				b.StartTimer()
				if err := db.Checkpoint(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(db.Stats().Written.Tree-before)/float64(n), "written/change")
		})
	}
}
