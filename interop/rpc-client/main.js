// Runs kubo-rpc-client, unchanged, against an RPC address and checks what it
// gets. One JSON line per check; the exit status is 1 if any of them differed.
//
// usage: node main.js http://127.0.0.1:5001

import { create } from 'kubo-rpc-client'
import { checks } from './checks.js'

const LIMIT = 120_000

const url = process.argv[2]
if (url == null) {
  process.stderr.write('usage: node main.js API-URL\n')
  process.exit(2)
}
// A server that never answers must not hold up whoever runs this.
setTimeout(() => {
  process.stderr.write(`no end after ${LIMIT / 1000} seconds\n`)
  process.exit(1)
}, LIMIT).unref()

const client = create({ url, timeout: 30_000 })
let failed = 0
for (const [name, check] of Object.entries(checks)) {
  const line = { check: name, ok: true }
  try {
    await check(client)
  } catch (err) {
    line.ok = false
    line.why = `${err.name}: ${err.message}`
    failed++
  }
  process.stdout.write(JSON.stringify(line) + '\n')
}
process.exit(failed === 0 ? 0 : 1)
