package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/ipfs/boxo/bitswap"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// gopeer is one running peer: a libp2p host, a bitswap client and server, and
// the blocks they share.
type gopeer struct {
	host   host.Host
	swap   *bitswap.Bitswap
	blocks *meter
	dag    ipld.DAGService
	opened atomic.Int64 // connections since the start
}

func startPeer(ctx context.Context, transport string) (*gopeer, error) {
	h, err := newHost(transport)
	if err != nil {
		return nil, err
	}
	blocks := &meter{Blockstore: blockstore.NewBlockstore(dssync.MutexWrap(datastore.NewMapDatastore()))}
	// No routing: the peers that it is connected to are the only ones it asks.
	swap := bitswap.New(ctx, bsnet.NewFromIpfsHost(h), nil, blocks)
	p := &gopeer{
		host:   h,
		swap:   swap,
		blocks: blocks,
		dag:    merkledag.NewDAGService(blockservice.New(blocks, swap)),
	}
	h.Network().Notify(&network.NotifyBundle{
		ConnectedF: func(network.Network, network.Conn) { p.opened.Add(1) },
	})
	return p, nil
}

// newHost makes a host with exactly one transport, so that a cell cannot pass
// over another one than it names.
func newHost(transport string) (host.Host, error) {
	var carrier []libp2p.Option
	switch transport {
	case "tcp":
		carrier = []libp2p.Option{libp2p.Transport(tcp.NewTCPTransport), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0")}
	case "quic":
		carrier = []libp2p.Option{libp2p.Transport(quic.NewTransport), libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1")}
	default:
		return nil, fmt.Errorf("unknown transport %q: say tcp or quic", transport)
	}
	return libp2p.New(append(carrier,
		libp2p.ConnectionGater(loopbackOnly{}),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	)...)
}

// addrs returns every listening address with the peer's identity at its end,
// ready to be dialled.
func (p *gopeer) addrs() []string {
	full, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(p.host))
	if err != nil {
		return nil
	}
	out := make([]string, len(full))
	for i, a := range full {
		out[i] = a.String()
	}
	return out
}

func (p *gopeer) connect(ctx context.Context, addr string) error {
	info, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return err
	}
	return p.host.Connect(ctx, *info)
}

func (p *gopeer) disconnect(id string) error {
	who, err := peer.Decode(id)
	if err != nil {
		return err
	}
	return p.host.Network().ClosePeer(who)
}

func (p *gopeer) close() {
	_ = p.swap.Close()
	_ = p.host.Close()
}
