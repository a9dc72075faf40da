// A Helia node reduced to what the cells test: TCP, Noise, yamux, identify and
// bitswap. No gateway broker is configured, so every block that it does not
// hold can only have come by bitswap.

import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createHeliaLight } from 'helia'
import { Meter } from './meter.js'

const LOOPBACK = /^\/(ip4\/127\.|ip6\/::1\/)/

const network = {
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() },
  connectionGater: {
    denyDialMultiaddr: (addr) => !LOOPBACK.test(addr.toString())
  }
}

export async function startPeer () {
  const blocks = new Meter()
  const light = createHeliaLight({ blockstore: blocks, routers: [], blockBrokers: [] })
  const helia = await withBitswap(withLibp2pLight(light, network)).start()
  const peer = { helia, blocks, fs: unixfs(helia), opened: 0 }
  helia.libp2p.addEventListener('connection:open', () => { peer.opened++ })
  return peer
}
