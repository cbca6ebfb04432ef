"""Starts one job as a worker of unmodified arq does that has read its id before, and reports whether it ran."""
import asyncio
import json
import sys

from arq.connections import RedisSettings, create_pool
from arq.worker import Worker

config = json.loads(sys.argv[1])


async def record(ctx, key):
    await ctx['redis'].rpush('ran:' + ctx['job_id'], 'python')
    return 'python'


async def main():
    pool = await create_pool(RedisSettings.from_dsn(config['url']))
    worker = Worker(functions=[record], redis_pool=pool, handle_signals=False, ctx={'redis': pool})
    await worker.start_jobs([config['id'].encode()])
    await asyncio.gather(*worker.tasks.values())
    print(json.dumps({'started': list(worker.tasks)}), flush=True)
    await worker.close()


asyncio.run(main())
