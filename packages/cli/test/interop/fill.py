"""Fills a queue as a Python service does, and runs a Python worker on a part of it. Argument: the URL of Redis."""
import asyncio
import sys
from datetime import timedelta
from decimal import Decimal

from arq.connections import RedisSettings, create_pool
from arq.worker import Worker, func


async def py_echo(ctx, value):
    return {'got': value}


async def py_fail(ctx, value):
    raise ValueError('no good', value)


async def main(url):
    pool = await create_pool(RedisSettings.from_dsn(url), default_queue_name='default')
    await pool.enqueue_job('py_echo', Decimal('1.50'), _job_id='py-done')
    await pool.enqueue_job('py_fail', 7, _job_id='py-failed')
    worker = Worker(
        [func(py_echo, keep_result=3600), func(py_fail, keep_result=3600)],
        redis_pool=pool, queue_name='default', burst=True, max_jobs=1, poll_delay=0.05, handle_signals=False,
    )
    await worker.main()
    await pool.enqueue_job('delete_collection', collection_name='old', grace_period_minutes=60,
                           _job_id='py-deferred', _defer_by=timedelta(hours=1))
    await pool.enqueue_job('py_echo', (1, {'a': [None, True]}), _job_id='py-queued')
    await pool.enqueue_job('py_echo', 'x', _job_id='py-other', _queue_name='reports')


asyncio.run(main(sys.argv[1]))
