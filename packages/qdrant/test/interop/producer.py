"""A Python service that deletes collections, with unmodified arq and its default pickles. Calls as JSON lines on standard
input: `{"args": [], "kwargs": {}, "options": {}}`; each answer is what the job returned, or the error's type."""
import asyncio
import json
import sys

from arq.connections import RedisSettings, create_pool


async def main():
    redis = await create_pool(RedisSettings.from_dsn(sys.argv[1]))
    for line in sys.stdin:
        call = json.loads(line)
        job = await redis.enqueue_job('delete_collection', *call['args'], **call['kwargs'], **call['options'])
        try:
            result = await job.result(timeout=30, poll_delay=0.05)
            answer = {'result': result, 'types': {key: type(value).__name__ for key, value in result.items()}}
        except Exception as error:
            answer = {'error': type(error).__name__, 'message': str(error)}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
