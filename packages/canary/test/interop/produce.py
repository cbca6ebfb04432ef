"""Enqueues run_canary_deployment as the Python application does. Arguments: the URL of Redis, and how to pass arguments."""
import asyncio
import json
import sys

from arq import create_pool
from arq.connections import RedisSettings

CONFIG = {
    'alias': 'products', 'old_collection': 'v1', 'new_collection': 'v2',
    'stages': [
        {'percentage': 10, 'duration_minutes': 0.01},
        {'percentage': 100, 'duration_minutes': 0, 'error_threshold': 0.02, 'latency_threshold': 100},
    ],
    'current_stage': 0,
    'metrics': {'latency': [], 'error_rate': [], 'success_count': 0, 'error_count': 0, 'stage_start_time': None},
    'start_time': 1700000000.5, 'status': 'queued',
}


async def main(url, how):
    redis = await create_pool(RedisSettings.from_dsn(url))
    if how == 'positional':
        job = await redis.enqueue_job('run_canary_deployment', 'canary_1700000000', CONFIG)
    elif how == 'keywords':
        job = await redis.enqueue_job('run_canary_deployment', deployment_id='canary_1700000000',
                                      deployment_config=CONFIG, auto_rollback=False)
    else:
        job = await redis.enqueue_job('run_canary_deployment', 'canary_1700000000', auto_rollback=False,
                                      deployment_config=CONFIG)
    print(json.dumps(await job.result(timeout=15, poll_delay=0.05)), flush=True)


asyncio.run(main(*sys.argv[1:]))
