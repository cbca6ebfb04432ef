// Measures what each verb of the command costs: commands and CPU of Redis, CPU of the command compared with a bare Node's
// start, time to the answer.
//
//   node bench/src/verbs.mjs [--busy] docs/reference/verb-costs.md 200000 1000000
//
// The fleet is made from a seed, on a server of its own. The command runs as a process, from `dist` as it stands: put bundles
// there (scripts/bundle.mjs) to measure what is published. `--busy` leaves out the time to the answer, which means nothing on a
// machine that does other work.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { RedisServer } from '@arq-ts/test-support'
import { planFleet, writeFleet } from '@arq-ts/test-support/fleet'
import { Redis } from 'ioredis'

const RUNS = 1
const main = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url))
// Reports what the process has used, on a stream of its own.
const REPORT = `import{writeSync}from'node:fs';process.on('exit',()=>writeSync(3,JSON.stringify(process.cpuUsage())))`

const VERBS = [
  'queue ls',
  'queue show emails',
  'queue history',
  'top',
  'job ls',
  'job ls --status running',
  'job ls --status failed',
  'job ls --text nobody@example',
  'job show ID',
  'job explain ID --queue emails',
  'job enqueue echo --queue other',
  'dead ls',
  'dead ls --group-by error',
  'workers',
  'cron ls',
  'cron history',
  'schedule ls',
  'flow ls',
  'health --queue emails',
  'health --deep',
  'doctor',
]

/** Runs one verb, or Node without any work, to its end; returns its CPU time and its wall time in seconds. */
function run(words) {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now()
    const child = spawn(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(REPORT)}`, ...(words ? [main, ...words] : ['-e', '0'])],
      {
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      },
    )
    let text = ''
    child.stdio[3].on('data', (chunk) => (text += chunk))
    child.on('error', reject)
    child.on('close', () => {
      const { user, system } = JSON.parse(text)
      resolve({ cpuS: (user + system) / 1e6, wallS: (performance.now() - startedMs) / 1e3 })
    })
  })
}

/** Work that Redis has done so far. */
async function load(redis) {
  const info = await redis.info('all')
  const field = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)[1])
  return { commands: field('total_commands_processed'), cpuS: field('used_cpu_user') + field('used_cpu_sys') }
}

async function measure(jobs) {
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  try {
    const plan = planFleet({ seed: 21, jobs, nowMs: Date.now(), damaged: false })
    await writeFleet(redis, plan)
    const { jobId } = plan.jobs.find(({ queueName, state }) => queueName === 'emails' && state === 'deferred')
    const keys = await redis.dbsize()
    const rows = new Map()
    for (const verb of VERBS) {
      const words = [...verb.split(' ').map((word) => (word === 'ID' ? jobId : word)), '--json', '--redis', server.url]
      const runs = []
      for (let i = 0; i < RUNS; i++) {
        const before = await load(redis)
        const { cpuS, wallS } = await run(words)
        const after = await load(redis)
        // Right behind it: a machine that does other work slows both.
        const bare = await run(null)
        runs.push({
          cpuS,
          wallS,
          bareS: bare.cpuS,
          commands: after.commands - before.commands - 1,
          redisS: after.cpuS - before.cpuS,
        })
      }
      const least = (name) => Math.min(...runs.map((each) => each[name]))
      rows.set(verb, {
        commands: least('commands'),
        cpuS: least('cpuS'),
        wallS: least('wallS'),
        bareS: least('bareS'),
        redisS: least('redisS'),
      })
      process.stderr.write(`${jobs} ${verb}\n`)
    }
    const version = /redis_version:(\S+)/.exec(await redis.info('server'))[1]
    return { jobs, keys, version, rows }
  } finally {
    redis.disconnect()
    await server.stop()
  }
}

const number = (value) => value.toLocaleString('en-US')
const seconds = (value) => value.toFixed(2)

const isBusy = process.argv.includes('--busy')
const [file, ...sizes] = process.argv.slice(2).filter((word) => word !== '--busy')

/** The page with the measurements. */
function page(all) {
  const about = all.map(({ jobs, keys }) => `${number(jobs)} jobs (${number(keys)} keys)`).join(' and ')
  const lines = [
    '# What each verb costs',
    '',
    `Measured by [verbs.mjs](../../bench/src/verbs.mjs) with fleets of both languages, ${about}, on Redis ${all[0].version}, Node`,
    `${process.versions.node} and ${cpus().length} shared cores. Each cell has commands (those of scripts included), seconds of Redis's CPU,`,
    `seconds of the command's own CPU, its start included, that CPU as a multiple of a bare start of Node${isBusy ? '' : ', and seconds to the answer'}.`,
    ...(isBusy
      ? ['Others worked on the machine meanwhile, so times to the answer were not taken, and CPU times are high.']
      : []),
    '',
    `| verb | ${all.map(({ jobs }) => `at ${number(jobs)} jobs`).join(' | ')} |`,
    `|---|${'---|'.repeat(all.length)}`,
    ...VERBS.map((verb) => {
      const cells = all.map(({ rows }) => {
        const { bareS, commands, cpuS, redisS, wallS } = rows.get(verb)
        const cell = `${number(commands)} · ${seconds(redisS)} · ${seconds(cpuS)} · ${Math.round(cpuS / bareS)} ×`
        return isBusy ? cell : `${cell} · ${seconds(wallS)}`
      })
      return `| \`${verb}\` | ${cells.join(' | ')} |`
    }),
  ]
  return `${lines.join('\n')}\n`
}

const all = []
for (const jobs of sizes.map(Number)) {
  all.push(await measure(jobs))
  writeFileSync(file, page(all))
}
