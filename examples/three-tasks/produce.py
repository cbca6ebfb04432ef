"""The Python application: it enqueues its three tasks as it always did, with arq's own pickles, and waits for each.
Its work comes as one JSON argument; each answer is one JSON line."""
import asyncio
import json
import os
import sys

from arq import create_pool
from arq.connections import RedisSettings


async def main(work):
    redis = await create_pool(RedisSettings.from_dsn(os.environ['REDIS_URL']), default_queue_name=work['queue'])
    jobs = []
    for user in work['users']:
        jobs.append(await redis.enqueue_job(
            'persist_cache', key=f"user:{user['name']}", value=user, persist_func_module='src.services.users',
            persist_func_name='save_user', delay=1.0, _defer_by=1))
    for name, minutes in work['collections']:
        jobs.append(await redis.enqueue_job(
            'delete_collection', collection_name=name, grace_period_minutes=minutes, _defer_by=minutes * 60))
    jobs.append(await redis.enqueue_job('run_canary_deployment', work['deployment_id'], work['deployment']))
    for job in jobs:
        info = await job.info()
        result = await job.result(timeout=60, poll_delay=0.1)
        print(json.dumps({'function': info.function, 'result': result}), flush=True)


asyncio.run(main(json.loads(sys.argv[1])))
