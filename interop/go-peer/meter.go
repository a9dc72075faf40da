package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
)

// meter counts the bytes that pass a blockstore and can slow them down. A
// transfer on loopback would otherwise be over before a test can cut it in the
// middle.
type meter struct {
	blockstore.Blockstore
	read, written atomic.Int64
	pause         atomic.Int64 // nanoseconds to wait per block
}

func (m *meter) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	b, err := m.Blockstore.Get(ctx, c)
	if err == nil {
		m.read.Add(int64(len(b.RawData())))
		m.wait()
	}
	return b, err
}

func (m *meter) Put(ctx context.Context, b blocks.Block) error {
	m.written.Add(int64(len(b.RawData())))
	m.wait()
	return m.Blockstore.Put(ctx, b)
}

func (m *meter) PutMany(ctx context.Context, many []blocks.Block) error {
	for _, b := range many {
		m.written.Add(int64(len(b.RawData())))
		m.wait()
	}
	return m.Blockstore.PutMany(ctx, many)
}

func (m *meter) wait() { time.Sleep(time.Duration(m.pause.Load())) }
