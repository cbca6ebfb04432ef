"""Reads planned jobs and results, a JSON line each, and prints the bytes that arq writes for them, as hex."""

import asyncio
import functools
import json
import pickle
import sys

from arq.jobs import serialize_job, serialize_result

dumps = functools.partial(pickle.dumps, protocol=4)
errors = {
    'complete': lambda: {'ok': True},
    'failed': lambda: ValueError('no good', 7),
    'aborted': asyncio.CancelledError,
}
for line in sys.stdin:
    job = json.loads(line)
    call = (job['functionName'], tuple(job['args']), job['kwargs'])
    if job['state'] is None:
        print(serialize_job(*call, None, job['enqueuedMs'], serializer=dumps).hex())
        continue
    ended = (job['state'] == 'complete', errors[job['state']](), job['startedMs'], job['finishedMs'])
    where = ('ref', job['queueName'], job['jobId'])
    print(serialize_result(*call, job['tries'], job['enqueuedMs'], *ended, *where, serializer=dumps).hex())
