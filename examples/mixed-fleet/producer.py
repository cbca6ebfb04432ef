"""A producer of Python arq, with arq's default pickles: one job for each document named on standard input."""
import asyncio
import json
import os
import sys

from arq import create_pool
from arq.connections import RedisSettings


async def main():
    redis = await create_pool(RedisSettings.from_dsn(os.environ['REDIS_URL']), default_queue_name=os.environ['DOCUMENTS_QUEUE'])
    paths = [line.rstrip('\n') for line in sys.stdin]
    jobs = [await redis.enqueue_job('summarise_document', path, encoding='utf-8') for path in paths]
    for job in jobs:
        result = await job.result(timeout=60, poll_delay=0.05)
        print(json.dumps({'id': job.job_id, 'result': result}), flush=True)


asyncio.run(main())
