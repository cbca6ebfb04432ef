"""A worker of unmodified Python arq that prints each of its log records as one JSON line. Its configuration is one JSON argument."""
import asyncio
import json
import logging
import sys
from datetime import datetime

import msgpack
from arq import Retry, cron, func
from arq.connections import RedisSettings
from arq.worker import RetryJob, Worker
from parity_errors import Declined, DeclinedLater

config = json.loads(sys.argv[1])
sys.stdout.reconfigure(encoding='utf-8')


class JsonLines(logging.Handler):
    def emit(self, record):
        line = {'level': record.levelname, 'message': record.getMessage(), 'hasError': record.exc_info is not None}
        extra = getattr(record, 'extra', None)
        if extra is not None:
            line['extra'] = extra
        print(json.dumps(line, ensure_ascii=False), flush=True)


logging.getLogger('arq').addHandler(JsonLines())
logging.getLogger('arq').setLevel(logging.INFO)


async def echo(ctx, value=None):
    return value


async def collect(ctx, *args, **kwargs):
    return [list(args), kwargs]


async def fail(ctx, kind, *args):
    raise {'value': ValueError, 'key': KeyError, 'os': OSError, 'zero': ZeroDivisionError}[kind](*args)


async def fail_with_extra(ctx, is_callable):
    raise (DeclinedLater if is_callable else Declined)('no funds')


async def tries(ctx, until, defer=None):
    if ctx['job_try'] < until:
        raise Retry() if defer is None else Retry(defer)
    return ctx['job_try']


async def outlive_payload(ctx):
    if ctx['job_try'] < 2:
        await ctx['redis'].pexpire('arq:job:' + ctx['job_id'], 3_000)
        raise Retry(4)
    return ctx['job_try']


async def retry_job(ctx):
    if ctx['job_try'] < 2:
        raise RetryJob('once more')
    return ctx['job_try']


async def cancel_itself(ctx, until):
    if ctx['job_try'] < until:
        raise asyncio.CancelledError
    return ctx['job_try']


async def sleep(ctx, seconds):
    await asyncio.sleep(seconds)
    return 'slept'


async def answer_cancellation(ctx, answer):
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        if answer == 'fail':
            raise ValueError('cleaning up failed')
    return 'cleaned up'


async def unserializable(ctx):
    return lambda: None


async def spoil_arguments(ctx, values):
    values.append(lambda: None)
    return 'spoilt'


async def tick(ctx):
    return 'ticked'


async def failing_hook(ctx):
    raise ValueError('the hook failed')


def cron_jobs():
    """Far from now, unless it is the start that makes it run."""
    jobs = []
    for name, options in config.get('cron', {}).items():
        hour = (datetime.now().hour + 12) % 24
        jobs.append(cron(tick, name=name, **{'hour': hour, 'minute': 0, **options}))
    return jobs


codec = {}
if config['codec'] == 'msgpack':
    codec = dict(job_serializer=msgpack.packb, job_deserializer=lambda b: msgpack.unpackb(b, raw=False))
worker = Worker(
    functions=[
        echo, collect, fail, fail_with_extra, tries, retry_job, cancel_itself, sleep, unserializable, spoil_arguments,
        answer_cancellation, outlive_payload,
        func(tries, name='tries_twice', max_tries=2),
        func(sleep, name='sleep_briefly', timeout=0.2),
        func(answer_cancellation, name='answer_timeout', timeout=0.2),
        func(echo, name='keep_none', keep_result=0),
        func(echo, name='keep_forever', keep_result_forever=True),
        func(echo, name='keep_minute', keep_result=60),
        func(tries, name='tries_twice_keep_none', max_tries=2, keep_result=0),
    ],
    cron_jobs=cron_jobs(),
    redis_settings=RedisSettings.from_dsn(config['url']),
    **codec,
    **{name: failing_hook for name in config['failingHooks']},
    **config['options'],
)
worker.run()
