package tree_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// grown is a tree and its tiles.
type grown struct {
	edge   tree.Edge
	levels [][]byte
}

func (g *grown) add(entry []byte) {
	g.edge.Append(tree.RecordHash(entry), func(level int, h tree.Hash) {
		if level == len(g.levels) {
			g.levels = append(g.levels, nil)
		}
		g.levels[level] = append(g.levels[level], h[:]...)
	})
}

func (g *grown) head() tree.Head { return tree.Head{Size: g.edge.Size(), Root: g.edge.Root()} }

func (g *grown) ReadTile(level int, n uint64, width int) ([]byte, error) {
	from := int(n) * tree.TileWidth * 32
	if level >= len(g.levels) || from+width*32 > len(g.levels[level]) {
		return nil, errors.New("no such tile")
	}
	return g.levels[level][from : from+width*32], nil
}

func entry(i int) []byte { return tree.AppendEntry(nil, sha256.Sum256(fmt.Append(nil, i))) }

// TestTreeIsThatOfTlog grows a tree past two levels of tiles and holds each root against x/mod's.
func TestTreeIsThatOfTlog(t *testing.T) {
	var g grown
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			out[i] = stored[at]
		}
		return out, nil
	})
	rng := mrand.New(mrand.NewPCG(1, 2))
	var heads []tree.Head
	for i := range 66_000 {
		g.add(entry(i))
		hashes, err := tlog.StoredHashes(int64(i), entry(i), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		if i > 600 && rng.IntN(500) > 0 && i != 65_535 && i != 65_536 {
			continue
		}
		root, err := tlog.TreeHash(int64(i+1), reader)
		if err != nil || root != g.edge.Root() {
			t.Fatalf("root of %d is %v, x/mod's %v, %v", i+1, g.edge.Root(), root, err)
		}
		heads = append(heads, g.head())
		edge, err := tree.ReadEdge(&g, g.head())
		if err != nil || edge.Root() != root || edge.Size() != uint64(i+1) {
			t.Fatalf("edge of %d read from its tiles: %v", i+1, err)
		}
	}
	head := g.head()
	for range 200 {
		at := rng.Uint64N(head.Size)
		proof, err := tree.ProveInclusion(&g, head, at)
		if err != nil || tree.CheckInclusion(proof, head, at, entry(int(at))) != nil {
			t.Fatalf("entry %d: %v", at, err)
		}
		if tree.CheckInclusion(proof, head, at, entry(int(at)+1)) == nil || tree.CheckInclusion(proof, head, at^1, entry(int(at))) == nil {
			t.Fatalf("entry %d: another one is proven, too", at)
		}
		old := heads[rng.IntN(len(heads))]
		proof, err = tree.ProveConsistency(&g, head, old.Size)
		if err != nil || tree.CheckConsistency(proof, head, old) != nil {
			t.Fatalf("%d in %d: %v", old.Size, head.Size, err)
		}
		old.Root[3]++
		if tree.CheckConsistency(proof, head, old) == nil {
			t.Fatalf("%d in %d: another tree is proven, too", old.Size, head.Size)
		}
	}
}

func TestDamagedTilesAreNoticed(t *testing.T) {
	for _, size := range []int{1, 2, 255, 256, 257, 70_000} {
		var g grown
		for i := range size {
			g.add(entry(i))
		}
		head := g.head()
		last := g.levels[0]
		last[len(last)-1] ^= 1
		if _, err := tree.ReadEdge(&g, head); size%256 != 0 && !errors.Is(err, tree.ErrTiles) {
			t.Errorf("size %d: a damaged edge is %v", size, err)
		}
		if _, err := tree.ProveInclusion(&g, head, uint64(size-1)); size > 1 && !errors.Is(err, tree.ErrTiles) {
			t.Errorf("size %d: a proof from a damaged tile is %v", size, err)
		}
	}
}

func TestCheckpointsAreSignedAndRead(t *testing.T) {
	skey, err := tree.NewKey(rand.Reader, "traces.example.com/eu")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	head := tree.Head{Size: 7, Root: tree.RecordHash([]byte("x"))}
	signed, err := signer.Sign(head)
	if err != nil {
		t.Fatal(err)
	}
	v, err := tree.NewVerifier(signer.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := tree.Open(signed, v)
	if err != nil || c.Head != head || c.Origin != "traces.example.com/eu" {
		t.Fatalf("read %+v, %v", c, err)
	}
	for i := range signed {
		bad := bytes.Clone(signed)
		bad[i] ^= 1
		if c, _, err := tree.Open(bad, v); err == nil && c.Head != head {
			t.Errorf("byte %d changed: it still opens, as %+v", i, c)
		}
	}
	other, _, err := note.GenerateKey(rand.Reader, "traces.example.com/eu")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := tree.NewSigner(other)
	if err != nil {
		t.Fatal(err)
	}
	if signed, err = stranger.Sign(head); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tree.Open(signed, v); !errors.Is(err, tree.ErrCheckpoint) {
		t.Errorf("another key's checkpoint: %v", err)
	}
}

func TestTilePathsHaveOneForm(t *testing.T) {
	for path, want := range map[string]tree.TilePath{
		"0/000":                {Level: 0, N: 0, Width: 256},
		"0/x001/x234/067":      {Level: 0, N: 1234067, Width: 256},
		"1/003.p/17":           {Level: 1, N: 3, Width: 17},
		"entries/x001/000":     {Level: -1, N: 1000, Width: 256},
		"entries/x001/000.p/5": {Level: -1, N: 1000, Width: 5},
	} {
		if got, ok := tree.ParseTilePath(path); !ok || got != want || got.String() != path {
			t.Errorf("%s: %+v, %v, %s", path, got, ok, got)
		}
	}
	for _, path := range []string{"", "0", "0/", "0/1", "0/0000", "0/x000/001", "00/001", "0/001.p/0", "0/001.p/256", "0/001.p/", "-1/000", "64/000", "data/000", "0/x1/000", "0/+01", "entries/entries"} {
		if got, ok := tree.ParseTilePath(path); ok {
			t.Errorf("%q is taken as %+v", path, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	skey, err := tree.NewKey(rand.Reader, "a.example")
	if err != nil {
		f.Fatal(err)
	}
	signer, err := tree.NewSigner(skey)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := signer.Sign(tree.Head{Root: tree.EmptyRoot()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed, "0/x001/067.p/12")
	v, err := tree.NewVerifier(signer.VerifierKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, note []byte, path string) {
		if c, _, err := tree.Open(note, v); err == nil && c.Size != 0 {
			t.Errorf("a checkpoint nobody signed: %+v", c)
		}
		_, _ = tree.ParseCheckpoint(string(note))
		_, _ = tree.NewVerifier(path)
		_, _ = tree.ParseEntry(note)
		if p, ok := tree.ParseTilePath(path); ok && p.String() != path {
			t.Errorf("%q reads as %+v, which is %s", path, p, p)
		}
	})
}
