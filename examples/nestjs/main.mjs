// NestJS with a worker inside: services of Nest's container reach the handlers, and Nest starts and stops the worker.
// Decorators are called as functions, so that this runs as it is; in TypeScript they stand before their classes.
import 'reflect-metadata'
import { Client, createLogger, defineTask, Worker } from '@arq-ts/core'
import { Injectable, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { z } from 'zod'

const redis = process.env.REDIS_URL ?? 'redis://localhost:6379'
const logger = createLogger({ level: 'warn' })
const queueName = 'example:nestjs'

// A service of the application, as Nest makes it.
class MailService {
  async send(to, text) {
    return `to ${to}: ${text}`
  }
}
Injectable()(MailService)

// A task says what it needs of its context; in TypeScript: (ctx: JobContext<{ mail: MailService }>, …).
const welcome = defineTask({
  name: 'welcome',
  params: z.object({ to: z.string() }),
  handler: (ctx, { to }) => ctx.mail.send(to, 'Welcome!'),
})

/** Runs jobs while the application runs. */
class QueueWorker {
  #worker
  constructor(mail) {
    this.#worker = new Worker({ redis, logger, queueName, tasks: [welcome], ctx: { mail }, handleSignals: false })
  }
  onApplicationBootstrap() {
    void this.#worker.run()
  }
  async beforeApplicationShutdown() {
    await this.#worker.stop() // running jobs end, or go back to the queue
  }
}

/** The client, closed with the application. */
class QueueClient extends Client {
  constructor() {
    super({ redis, logger, queueName })
  }
  async onApplicationShutdown() {
    await this.close()
  }
}

// oxlint-disable-next-line typescript/no-extraneous-class -- a module of Nest is an empty class
class AppModule {}
Module({
  providers: [
    MailService,
    QueueClient,
    { provide: QueueWorker, useFactory: (mail) => new QueueWorker(mail), inject: [MailService] },
  ],
})(AppModule)

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] })
await app.init()
const client = app.get(QueueClient)
const job = await client.enqueue(welcome, { to: 'ann' })
console.log(await job.result({ timeoutMs: 10_000 }))
await app.close()
console.log('stopped')
