import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { CID } from 'multiformats/cid'
import { content, digest, digestLines, entries } from './content.js'

/** How many files of a directory are asked for at the same time. */
const FETCHERS = 128

/** Ends a fetch that nobody answers; the driver gives up earlier. */
const FETCH_LIMIT = 10 * 60 * 1000

function shape (request) {
  return {
    cidVersion: request.cidVersion,
    rawLeaves: request.rawLeaves,
    // A file of one chunk is that chunk, as with the other implementations.
    reduceSingleLeafToSelf: true,
    chunker: fixedSize({ chunkSize: request.chunk })
  }
}

async function add ({ fs }, request) {
  const root = await fs.addByteStream(content(request.seed, request.bytes), shape(request))
  return { cid: root.toString() }
}

async function addDir ({ fs }, request) {
  const source = entries(request.prefix, request.entries, request.seed)
  let root
  for await (const added of fs.addAll(source, { ...shape(request), wrapWithDirectory: true })) {
    root = added.cid
  }
  return { cid: root.toString() }
}

async function fetch ({ fs }, request) {
  const signal = AbortSignal.timeout(FETCH_LIMIT)
  const root = CID.parse(request.cid)
  const { type } = await fs.stat(root, { signal })
  if (type !== 'directory') {
    return digest(fs.cat(root, { signal }))
  }
  const names = []
  for await (const entry of fs.ls(root, { signal, extended: false })) {
    names.push({ name: entry.name, cid: entry.cid })
  }
  return digestLines(await fetchAll(fs, names, signal))
}

async function fetchAll (fs, names, signal) {
  const files = []
  // One iterator that all workers draw from.
  const work = names.values()
  async function worker () {
    for (const { name, cid } of work) {
      files.push({ name, ...await digest(fs.cat(cid, { signal })) })
    }
  }
  await Promise.all(Array.from({ length: FETCHERS }, worker))
  return files
}

async function connect ({ helia }, request) {
  await helia.libp2p.dial(multiaddr(request.addr))
}

async function disconnect ({ helia }, request) {
  await helia.libp2p.hangUp(peerIdFromString(request.peer))
}

function pace ({ blocks }, request) {
  blocks.pause = request.millis
}

function stat ({ blocks, helia, opened }) {
  return {
    read: blocks.read,
    written: blocks.written,
    connections: helia.libp2p.getConnections().length,
    opened
  }
}

export const commands = { add, addDir, fetch, connect, disconnect, pace, stat }
