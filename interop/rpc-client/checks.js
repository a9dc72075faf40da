// What is asked of the RPC, by name, in order. A check throws where the answer
// differs; later ones may use what earlier ones have added.

import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'

const HELLO = Buffer.from('hello world')
// Known names of these bytes: as one raw block, and as a dag-pb file.
const HELLO_RAW = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e'
const HELLO_V0 = 'Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD'

const V1 = { cidVersion: 1, rawLeaves: true }
const LARGE = Buffer.alloc(3 * 1024 * 1024 + 7, 'ipse')
const TREE = [
  { path: 'tree/empty', content: Buffer.alloc(0) },
  { path: 'tree/hello.txt', content: HELLO },
  { path: 'tree/a b+c%/large', content: LARGE }
]

/** Everything an answer streams, as a list. */
async function all (stream) {
  const out = []
  for await (const one of stream) {
    out.push(one)
  }
  return out
}

const bytes = async (stream) => Buffer.concat(await all(stream))
const pinned = async (client, options) => (await all(client.pin.ls(options))).map(pin => pin.cid.toString())

async function addTree (client) {
  const added = await all(client.addAll(TREE, { ...V1, pin: false }))
  return added.find(entry => entry.path === 'tree').cid
}

export const checks = {
  async version (client) {
    const { version } = await client.version()
    assert.match(version, /^\d+\.\d+\.\d+/)
  },

  async id (client) {
    const { id, addresses, protocols } = await client.id()
    assert.match(id.toString(), /^(12D3|16Uiu|Qm)/)
    assert.ok(addresses.length > 0, 'no addresses')
    assert.ok(protocols.includes('/ipfs/bitswap/1.2.0'), 'bitswap is not among the protocols')
  },

  async 'add a file' (client) {
    const v1 = await client.add(HELLO, V1)
    assert.equal(v1.cid.toString(), HELLO_RAW)
    const v0 = await client.add(HELLO, { cidVersion: 0, rawLeaves: false })
    assert.equal(v0.cid.toString(), HELLO_V0)
  },

  async 'add with progress' (client) {
    let seen = 0
    await client.add(LARGE, { ...V1, pin: false, progress: (n) => { seen = Math.max(seen, n) } })
    assert.equal(seen, LARGE.length)
  },

  async 'only hash' (client) {
    const { cid } = await client.add(Buffer.from('never stored'), { ...V1, onlyHash: true })
    await assert.rejects(client.block.stat(cid, { offline: true, timeout: 2000 }))
  },

  async 'cat a file' (client) {
    assert.deepEqual(await bytes(client.cat(HELLO_RAW)), HELLO)
    assert.deepEqual(await bytes(client.cat(HELLO_V0)), HELLO)
  },

  async 'cat a part' (client) {
    assert.deepEqual(await bytes(client.cat(HELLO_RAW, { offset: 6, length: 3 })), Buffer.from('wor'))
  },

  async 'add a directory' (client) {
    const added = await all(client.addAll(TREE, { ...V1, pin: false }))
    assert.deepEqual(
      added.map(entry => entry.path).sort(),
      ['tree', 'tree/a b+c%', 'tree/a b+c%/large', 'tree/empty', 'tree/hello.txt']
    )
    assert.equal(added.at(-1).path, 'tree', 'the root is not the last entry')
  },

  async 'ls a directory' (client) {
    const root = await addTree(client)
    const entries = await all(client.ls(root))
    assert.deepEqual(entries.map(entry => [entry.name, entry.type, entry.size]), [
      ['a b+c%', 'dir', 0],
      ['empty', 'file', 0],
      ['hello.txt', 'file', HELLO.length]
    ])
    assert.equal(entries[2].cid.toString(), HELLO_RAW)
  },

  async 'cat by path' (client) {
    const root = await addTree(client)
    assert.deepEqual(await bytes(client.cat(`/ipfs/${root}/a b+c%/large`)), LARGE)
    assert.equal((await bytes(client.cat(`/ipfs/${root}/empty`))).length, 0)
  },

  async 'cat of nothing is refused' (client) {
    const root = await addTree(client)
    await assert.rejects(bytes(client.cat(`/ipfs/${root}/missing`)), /no link named "missing"/)
  },

  async 'pin add, ls, rm' (client) {
    const root = (await addTree(client)).toString()
    assert.equal((await client.pin.add(root)).toString(), root)
    assert.ok((await pinned(client, { type: 'recursive' })).includes(root))
    assert.ok((await pinned(client, { paths: root })).includes(root))
    assert.ok((await pinned(client, { type: 'all' })).length > 3, 'no indirect pins')
    assert.equal((await client.pin.rm(root)).toString(), root)
    assert.ok(!(await pinned(client, { type: 'recursive' })).includes(root))
    await assert.rejects(client.pin.rm(root), /not pinned/)
  },

  async 'block put, get, stat, rm' (client) {
    const block = Buffer.from('a block of its own')
    const cid = await client.block.put(block, { format: 'raw', mhtype: 'sha2-256', version: 1 })
    assert.equal(cid.code, 0x55)
    assert.deepEqual(Buffer.from(await client.block.get(cid)), block)
    assert.equal((await client.block.stat(cid)).size, block.length)
    const [removed] = await all(client.block.rm(cid))
    assert.equal(removed.error, undefined)
  },

  async 'dag get' (client) {
    const root = await addTree(client)
    const { value } = await client.dag.get(root)
    assert.deepEqual(value.Links.map(link => link.Name), ['a b+c%', 'empty', 'hello.txt'])
  },

  async 'refs' (client) {
    const root = await addTree(client)
    const refs = (await all(client.refs(root, { recursive: true, unique: true }))).map(ref => CID.parse(ref.ref).toString())
    assert.ok(refs.includes(HELLO_RAW))
  },

  async 'repo stat' (client) {
    const { numObjects } = await client.repo.stat()
    assert.ok(numObjects > 5n, `only ${numObjects} objects`)
  }
}
