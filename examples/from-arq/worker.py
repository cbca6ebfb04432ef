"""The Python side, which nobody edits: `worker.py enqueue NAME…` is the producer, `worker.py work` the worker."""

import asyncio
import os
import sys

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker

QUEUE = 'example:from-arq'
settings = RedisSettings.from_dsn(os.environ['REDIS_URL'])


async def send_mail(ctx, to, lang='en'):
    return f'{to} ({lang}) by Python'


async def enqueue(names):
    redis = await create_pool(settings, default_queue_name=QUEUE)
    for name in names:
        await redis.enqueue_job('send_mail', name, lang='de', _job_id=f'mail-{name}')
    await redis.close()


def work():
    async def say(ctx):
        print('ready', flush=True)

    Worker([send_mail], redis_settings=settings, queue_name=QUEUE, poll_delay=0.05, max_jobs=2, on_startup=say).run()


if sys.argv[1] == 'work':
    work()
else:
    asyncio.run(enqueue(sys.argv[2:]))
