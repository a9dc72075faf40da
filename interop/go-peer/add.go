package main

import (
	"context"
	"io"

	chunk "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	uio "github.com/ipfs/boxo/ipld/unixfs/io"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

// shape says how content becomes blocks.
type shape struct {
	CidVersion int   `json:"cidVersion"`
	RawLeaves  bool  `json:"rawLeaves"`
	Chunk      int64 `json:"chunk"`
}

func (s shape) builder() (cid.Builder, error) {
	return merkledag.PrefixForCidVersion(s.CidVersion)
}

// addFile imports a reader with the balanced layout and returns its root.
func (p *gopeer) addFile(ctx context.Context, r io.Reader, s shape) (ipld.Node, error) {
	builder, err := s.builder()
	if err != nil {
		return nil, err
	}
	batch := ipld.NewBufferedDAG(ctx, p.dag)
	params := helpers.DagBuilderParams{
		Maxlinks:   helpers.DefaultLinksPerBlock,
		RawLeaves:  s.RawLeaves,
		CidBuilder: builder,
		Dagserv:    batch,
	}
	layout, err := params.New(chunk.NewSizeSplitter(r, s.Chunk))
	if err != nil {
		return nil, err
	}
	root, err := balanced.Layout(layout)
	if err != nil {
		return nil, err
	}
	return root, batch.Commit()
}

// addDirectory imports generated entries; boxo decides by their number and
// the length of their names whether the directory is sharded.
func (p *gopeer) addDirectory(ctx context.Context, prefix string, entries int, seed uint64, s shape) (cid.Cid, error) {
	builder, err := s.builder()
	if err != nil {
		return cid.Undef, err
	}
	dir, err := uio.NewDirectory(p.dag, uio.WithCidBuilder(builder))
	if err != nil {
		return cid.Undef, err
	}
	for i := range entries {
		file, err := p.addFile(ctx, entryContent(seed, i), s)
		if err != nil {
			return cid.Undef, err
		}
		if err := dir.AddChild(ctx, entryName(prefix, i), file); err != nil {
			return cid.Undef, err
		}
	}
	root, err := dir.GetNode()
	if err != nil {
		return cid.Undef, err
	}
	return root.Cid(), p.dag.Add(ctx, root)
}
