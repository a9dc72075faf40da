import { createHash, hash } from 'node:crypto'

const PIECE = 1 << 18

/**
 * The file that a seed and a length name, in pieces: the first bytes of
 * SHA-256("seed/0") || SHA-256("seed/1") || … Each side of a cell can make it
 * for itself, so only hashes have to be compared.
 */
export function * content (seed, length) {
  let index = 0
  while (length > 0) {
    const size = Math.min(PIECE, length)
    const piece = Buffer.allocUnsafe(Math.ceil(size / 32) * 32)
    for (let at = 0; at < piece.length; at += 32) {
      hash('sha256', `${seed}/${index++}`, 'buffer').copy(piece, at)
    }
    // Every piece but the last is a multiple of 32, so no digest is split.
    yield piece.subarray(0, size)
    length -= size
  }
}

/** What a generated directory holds; no entry is empty (boxo cannot serve it). */
export function * entries (prefix, count, seed) {
  for (let i = 0; i < count; i++) {
    yield {
      path: `${prefix}${String(i).padStart(5, '0')}`,
      content: content(seed + i, 1 + i % 1024)
    }
  }
}

/** Length and hash of a stream of bytes. */
export async function digest (stream) {
  const sum = createHash('sha256')
  let bytes = 0
  for await (const part of stream) {
    sum.update(part)
    bytes += part.byteLength
  }
  return { bytes, sha256: sum.digest('hex') }
}

/** A directory's hash: that of its sorted lines "name NUL sha256 newline". */
export function digestLines (files) {
  const lines = files.map(file => Buffer.from(`${file.name}\0${file.sha256}\n`))
  lines.sort(Buffer.compare)
  const sum = createHash('sha256')
  lines.forEach(line => sum.update(line))
  return {
    bytes: files.reduce((total, file) => total + file.bytes, 0),
    sha256: sum.digest('hex')
  }
}
