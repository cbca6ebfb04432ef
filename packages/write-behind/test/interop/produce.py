"""Enqueues persist_cache as the Python application does. Arguments: the URL of Redis, and 'series' for writes of one key."""
import asyncio
import json
import sys

from arq import create_pool
from arq.connections import RedisSettings

MODULE, NAME = 'src.services.users', 'save_user'


async def main(url, mode):
    redis = await create_pool(RedisSettings.from_dsn(url))
    if mode == 'series':
        for i in range(5):
            await redis.enqueue_job('persist_cache', key='user:9', value=i, persist_func_module=MODULE,
                                    persist_func_name=NAME, delay=1.0)
            await asyncio.sleep(0.01)
        return
    jobs = [
        await redis.enqueue_job('persist_cache', 'user:1', {'name': 'John', 'tags': {'a'}}, MODULE, NAME, 0.0),
        await redis.enqueue_job('persist_cache', key='user:2', value=[1, 2], persist_func_module=MODULE,
                                persist_func_name=NAME, delay=1.0, _defer_by=0.05),
        await redis.enqueue_job('persist_cache', 'user:3', None, persist_func_module=MODULE, persist_func_name=NAME),
        await redis.enqueue_job('persist_cache', 'user:4', 1, 'os', 'system'),
        await redis.enqueue_job('persist_cache', 'user:5', 'no good', MODULE, NAME),
    ]
    for job in jobs:
        try:
            print(json.dumps(await job.result(timeout=15, poll_delay=0.05)), flush=True)
        except Exception as error:
            print(json.dumps({'error': type(error).__name__, 'args': error.args}), flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ''))
