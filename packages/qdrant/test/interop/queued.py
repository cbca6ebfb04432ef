"""The jobs that Python's arq finds in its queue: one JSON line for each job, with the minutes it is deferred by."""
import asyncio
import json
import sys

from arq.connections import RedisSettings, create_pool


async def main():
    redis = await create_pool(RedisSettings.from_dsn(sys.argv[1]))
    for job in await redis.queued_jobs():
        minutes = round((job.score - job.enqueue_time.timestamp() * 1000) / 60_000)
        print(json.dumps([job.function, job.args, job.kwargs, minutes]))


asyncio.run(main())
