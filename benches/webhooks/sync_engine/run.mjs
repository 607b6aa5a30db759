// Feeds webhooks to sync-engine in process, signature check included, and prints the time it took.
//
//     node run.mjs CONFIGURATION
//
// CONFIGURATION is a JSON file: host (folder of the unix socket), port, user, database, secret,
// runs: [{ concurrency, bodies: [text, ...] }]. One line of JSON per run is printed.

import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

// As an ES module it doesn't find its own migrations.
const { StripeSync, runMigrations } = createRequire(import.meta.url)('@supabase/stripe-sync-engine')

const { host, port, user, database, secret, runs } = JSON.parse(readFileSync(process.argv[2]))
const databaseUrl = `postgres://${user}@/${database}?host=${encodeURIComponent(host)}&port=${port}`

// It swallows its errors and tells only the logger.
const logger = {
  info() {},
  warn() {},
  error(error, text) {
    console.error(text, error)
    process.exitCode = 1
  },
}

await runMigrations({ databaseUrl, schema: 'stripe', logger })
const sync = new StripeSync({
  poolConfig: { connectionString: databaseUrl, max: 64, keepAlive: true },
  stripeSecretKey: 'sk_test_unused',
  stripeWebhookSecret: secret,
})

const time = Math.floor(Date.now() / 1000)
const sign = (body) =>
  `t=${time},v1=` + createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')

for (const { concurrency, bodies } of runs) {
  const webhooks = bodies.map((body) => [Buffer.from(body), sign(body)])
  let next = 0
  const started = performance.now()
  const worker = async () => {
    while (next < webhooks.length) {
      const [body, signature] = webhooks[next++]
      await sync.processWebhook(body, signature)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  const seconds = (performance.now() - started) / 1000
  console.log(JSON.stringify({ concurrency, webhooks: webhooks.length, seconds }))
}

await sync.postgresClient.pool.end()
