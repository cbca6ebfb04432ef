"""Fills a queue as a Python service does, and runs a Python worker on a part of it. Argument: the URL of Redis."""
import asyncio
import sys
from datetime import date, timedelta
from decimal import Decimal

from arq.connections import RedisSettings, create_pool
from arq.cron import cron
from arq.worker import Worker, func


async def py_echo(ctx, value):
    return {'got': value}


async def py_fail(ctx, value):
    raise ValueError('no good', value)


async def py_tick(ctx):
    return 'ticked'


async def main(url):
    pool = await create_pool(RedisSettings.from_dsn(url), default_queue_name='mail')
    await pool.enqueue_job('py_echo', Decimal('1.50'), _job_id='py-done')
    await pool.enqueue_job('py_fail', 7, _job_id='py-failed')
    worker = Worker(
        [func(py_echo, keep_result=3600), func(py_fail, keep_result=3600)],
        cron_jobs=[cron(py_tick, name='cron:py_tick', hour=3, run_at_startup=True, keep_result=3600)],
        redis_pool=pool, queue_name='mail', burst=True, max_jobs=1, poll_delay=0.05, handle_signals=False,
    )
    await worker.main()
    await pool.enqueue_job('py_echo', (1, date(2026, 12, 11)), _job_id='py-queued', flag=True, _defer_by=timedelta(hours=1))


asyncio.run(main(sys.argv[1]))
