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
    jobs = {}
    for user in work['users']:
        key = f"user:{user['name']}"
        jobs[f'persist_cache({key})'] = await redis.enqueue_job(
            'persist_cache', key=key, value=user, persist_func_module='src.services.users',
            persist_func_name='save_user', delay=1.0, _defer_by=1)
    for name, minutes in work['collections']:
        jobs[f'delete_collection({name})'] = await redis.enqueue_job(
            'delete_collection', collection_name=name, grace_period_minutes=minutes, _defer_by=minutes * 60)
    for name, config in work['deployments']:
        jobs[f'run_canary_deployment({name})'] = await redis.enqueue_job('run_canary_deployment', name, config)
    for what, job in jobs.items():
        try:
            answer = {'result': await job.result(timeout=60, poll_delay=0.1)}
        except Exception as error:
            answer = {'error': f'{type(error).__name__}: {error}'}
        print(json.dumps({'what': what, **answer}), flush=True)


asyncio.run(main(json.loads(sys.argv[1])))
