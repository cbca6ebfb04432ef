"""A Python worker on the queue `default` that reports its health every second. Argument: the URL of Redis."""
import asyncio
import sys

from arq.connections import RedisSettings
from arq.worker import Worker


async def py_hold(ctx):
    await ctx['redis'].rpush('py:holding', ctx['job_id'])
    await asyncio.sleep(3600)


async def py_echo(ctx, value):
    return value


async def ready(ctx):
    print('ready', flush=True)


Worker(
    [py_hold, py_echo],
    redis_settings=RedisSettings.from_dsn(sys.argv[1]),
    queue_name='default', on_startup=ready, poll_delay=0.05, health_check_interval=1, job_completion_wait=0,
).run()
