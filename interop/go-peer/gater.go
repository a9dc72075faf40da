package main

import (
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// loopbackOnly refuses every connection that would leave the machine, whatever
// addresses the other side hands out by identify.
type loopbackOnly struct{}

func (loopbackOnly) InterceptPeerDial(peer.ID) bool { return true }

func (loopbackOnly) InterceptAddrDial(_ peer.ID, addr ma.Multiaddr) bool {
	return manet.IsIPLoopback(addr)
}

func (loopbackOnly) InterceptAccept(addrs network.ConnMultiaddrs) bool {
	return manet.IsIPLoopback(addrs.RemoteMultiaddr())
}

func (loopbackOnly) InterceptSecured(network.Direction, peer.ID, network.ConnMultiaddrs) bool {
	return true
}

func (loopbackOnly) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) {
	return true, 0
}
