import { setTimeout as sleep } from 'node:timers/promises'
import { MemoryBlockstore } from 'blockstore-core'

/**
 * A blockstore in memory that counts the bytes which pass it and can slow them
 * down: a transfer on loopback would otherwise be over before a test can cut
 * it in the middle.
 */
export class Meter extends MemoryBlockstore {
  read = 0
  written = 0
  /** Milliseconds to wait per block. */
  pause = 0

  async put (cid, bytes, options) {
    await this.#wait()
    this.written += bytes.byteLength ?? 0
    return super.put(cid, bytes, options)
  }

  async * get (cid, options) {
    for (const part of super.get(cid, options)) {
      await this.#wait()
      this.read += part.byteLength
      yield part
    }
  }

  async #wait () {
    if (this.pause > 0) {
      await sleep(this.pause)
    }
  }
}
