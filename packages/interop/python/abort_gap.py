"""Aborts one job by unmodified arq, and stops the process between the two steps of Job.abort(), until SIGCONT."""
import asyncio
import json
import os
import signal
import sys

from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job

config = json.loads(sys.argv[1])
read_score = ArqRedis.zscore


async def zscore(self, *args, **kwargs):
    """The last that abort() reads before it writes."""
    score = await read_score(self, *args, **kwargs)
    print(json.dumps({'score': score}), flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    return score


async def main():
    ArqRedis.zscore = zscore
    redis = await create_pool(RedisSettings.from_dsn(config['url']))
    aborted = await Job(config['id'], redis).abort(timeout=30, poll_delay=0.05)
    print(json.dumps({'aborted': aborted}), flush=True)


asyncio.run(main())
