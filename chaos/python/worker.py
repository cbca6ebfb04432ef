"""A worker of unmodified Python arq. It ends when Redis is away, as arq's do; the fleet starts another."""
import asyncio
import secrets
import time

from arq import Retry, cron, func
from arq.worker import Worker

from fleet import MSGPACK, assignment, name, settings, write

runs = {}


async def record(ctx, task, nonce, body):
    run = 'run:' + secrets.token_hex(8)
    about = dict(nonce=nonce, jobId=ctx['job_id'], run=run, worker=name)
    await write(event='start', task=task, at=str(round(time.time() * 1000)), **about)
    try:
        value = await body(run)
    except Retry:
        await write(event='end', outcome='retry', **about)
        raise
    except asyncio.CancelledError:
        await write(event='end', outcome='cancelled', **about)
        raise
    except Exception:
        await write(event='end', outcome='raised', **about)
        runs[ctx['job_id']] = run, 'failed'
        raise
    await write(event='end', outcome='returned', **about)
    runs[ctx['job_id']] = run, 'complete'
    return value


def task(function_name, body, **options):
    async def call(ctx, nonce, ms, failures):
        async def run_body(run):
            await asyncio.sleep(ms / 1000)
            return await body(ctx, run, failures)

        return await record(ctx, function_name, nonce, run_body)

    return func(call, name=function_name, max_tries=40, **options)


async def returns(ctx, run, failures):
    return run


async def retries(ctx, run, failures):
    if ctx['job_try'] <= failures:
        raise Retry(defer=0.1 * ctx['job_try'])
    return run


async def fails(ctx, run, failures):
    raise RuntimeError(f'meant to fail in {run}')


async def fails_at_first(ctx, run, failures):
    if ctx['job_try'] <= failures:
        raise RuntimeError(f'meant to fail at first in {run}')
    return run


async def tick(ctx):
    async def body(run):
        await asyncio.sleep(0.02)

    await record(ctx, 'cron:tick', ctx['job_id'], body)


async def skipping(ctx):
    async def body(run):
        await asyncio.sleep(0.7)

    await record(ctx, 'cron:skipping', ctx['job_id'], body)


async def stored(ctx):
    run = runs.pop(ctx['job_id'], None)
    if run:
        await write(event='settled', jobId=ctx['job_id'], run=run[0], worker=name, outcome=run[1])


async def ready(ctx):
    enqueue = ctx['redis'].enqueue_job

    async def enqueue_and_note(*args, **kwargs):
        queued = await enqueue(*args, **kwargs)
        if queued:
            await write(event='ticked', jobId=queued.job_id, worker=name)
        return queued

    # Nothing but ticks is enqueued by a worker; who did is what the judge asks when one runs twice.
    ctx['redis'].enqueue_job = enqueue_and_note
    await write(event='boot', worker=name)
    print('ready', flush=True)


slot = assignment['slot']
ticks = [cron(tick, name='cron:tick', second=set(range(60)), microsecond=0)] if slot['codec'] == 'pickle' else []
worker = Worker(
    functions=[
        task('work', returns),
        task('flaky', retries),
        task('failing', fails),
        task('stubborn', fails_at_first),
        task('unique', returns, keep_result=1.5),
        func(tick, name='cron:tick'),
        func(skipping, name='cron:skipping', max_tries=1, keep_result=0),
    ],
    cron_jobs=ticks,
    redis_settings=settings(),
    queue_name=slot['queue'],
    max_jobs=5,
    job_timeout=12,
    poll_delay=0.25,
    allow_abort_jobs=True,
    health_check_interval=5,
    on_startup=ready,
    after_job_end=stored,
    **(MSGPACK if slot['codec'] == 'msgpack' else {}),
)
worker.run()
