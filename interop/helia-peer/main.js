// The JavaScript half of the interop cells: a bitswap peer on Helia that
// another process drives over its standard input and output.
//
// It listens on TCP on loopback only, keeps its blocks in memory, knows no
// routing, and ends when its input ends. The lines it speaks are described in
// interop/README.md and are the same as those of go-peer.

import { createInterface } from 'node:readline'
import { startPeer } from './peer.js'
import { commands } from './commands.js'

function say (answer) {
  process.stdout.write(JSON.stringify(answer) + '\n')
}

async function answer (peer, request) {
  try {
    const command = commands[request.op]
    if (command == null) {
      throw new Error(`unknown op "${request.op}"`)
    }
    return { tag: request.tag, ...await command(peer, request) }
  } catch (err) {
    return { tag: request.tag, error: `${err.name}: ${err.message}` }
  }
}

const peer = await startPeer()
say({
  id: peer.helia.libp2p.peerId.toString(),
  addrs: peer.helia.libp2p.getMultiaddrs().map(String)
})

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  if (request.op === 'quit') {
    break
  }
  // Not awaited: a disconnect must be possible while a fetch is under way.
  answer(peer, request).then(say)
}
process.exit(0)
