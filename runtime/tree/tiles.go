package tree

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles is where the hashes of a tree lie. ReadTile returns the first width hashes, 1 to TileWidth, of tile n of that
// level, one after the other. It may be called concurrently if what is done with it is.
type Tiles interface {
	ReadTile(level int, n uint64, width int) ([]byte, error)
}

// hashReader reads single hashes of the tree that head names, and holds every tile that it reads against its root.
func hashReader(tiles Tiles, head Head) tlog.HashReader {
	return tlog.TileHashReader(head.tlog(), tileReader{tiles})
}

type tileReader struct{ Tiles }

func (tileReader) Height() int { return tileHeight }

func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if data[i], err = r.ReadTile(t.L, uint64(t.N), t.W); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// A TilePath names a tile or a bundle of entries as tlog-tiles does.
type TilePath struct {
	Level int    // of a tile; -1: a bundle of entries
	N     uint64 // which
	Width int    // hashes or entries in it, 1 to TileWidth
}

// ParseTilePath reads what follows "tile/" in the address of a resource, such as "0/x001/067.p/12" or "entries/000". Only
// the one form that tlog-tiles has for each is taken.
func ParseTilePath(path string) (p TilePath, ok bool) {
	first, rest, _ := strings.Cut(path, "/")
	if p.Width = TileWidth; first == "entries" {
		p.Level = -1
	} else if level, err := strconv.ParseUint(first, 10, 6); err != nil || level > 63 {
		return p, false
	} else {
		p.Level = int(level)
	}
	if index, width, partial := strings.Cut(rest, ".p/"); partial {
		w, err := strconv.ParseUint(width, 10, 8)
		if err != nil || w == 0 {
			return p, false
		}
		rest, p.Width = index, int(w)
	}
	for part := range strings.SplitSeq(rest, "/") {
		n, err := strconv.ParseUint(strings.TrimPrefix(part, "x"), 10, 10)
		if err != nil || n > 999 || p.N > 1<<50 {
			return p, false
		}
		p.N = p.N*1000 + n
	}
	return p, p.String() == path
}

// String is the inverse of ParseTilePath.
func (p TilePath) String() string {
	index := fmt.Sprintf("%03d", p.N%1000)
	for n := p.N / 1000; n > 0; n /= 1000 {
		index = fmt.Sprintf("x%03d/%s", n%1000, index)
	}
	if p.Width != TileWidth {
		index += ".p/" + strconv.Itoa(p.Width)
	}
	if p.Level < 0 {
		return "entries/" + index
	}
	return strconv.Itoa(p.Level) + "/" + index
}

// In tells how many hashes or entries of that tile a tree of size entries has: at most TileWidth, 0: it has none.
func (p TilePath) In(size uint64) int {
	if p.Level > 0 {
		size >>= p.Level * tileHeight
	}
	if p.N >= size/TileWidth+1 {
		return 0
	}
	return int(min(size-p.N*TileWidth, TileWidth))
}
