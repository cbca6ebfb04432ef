"""A worker of unmodified Python arq. Its configuration is one JSON argument."""
import asyncio
import json
import sys
from datetime import timedelta

import msgpack
from arq import Retry, cron, func
from arq.connections import RedisSettings
from arq.worker import Worker

config = json.loads(sys.argv[1])


async def echo(ctx, value):
    return value


async def collect(ctx, *args, **kwargs):
    return [list(args), kwargs]


async def tries(ctx, until, defer=None):
    if ctx['job_try'] < until:
        raise Retry(defer=defer)
    return ctx['job_try']


async def fail(ctx, kind, *args):
    raise {'value': ValueError, 'key': KeyError, 'runtime': RuntimeError, 'zero': ZeroDivisionError}[kind](*args)


async def sleep(ctx, seconds):
    await asyncio.sleep(seconds)
    return 'slept'


async def record(ctx, key):
    await ctx['redis'].rpush('ran:' + ctx['job_id'], config['name'])
    return config['name']


async def hold(ctx, key):
    """Runs for ever on its first worker, and at once on the next."""
    first = await ctx['redis'].set('held:' + key, config['name'], nx=True)
    await ctx['redis'].rpush('holding', config['name'])
    if first:
        await asyncio.sleep(3600)
    return [config['name'], ctx['job_try']]


async def report(ctx, stream):
    await ctx['redis'].xadd(stream, {'progress': '0.4'})
    return 'reported'


async def unpackable(ctx):
    return object


async def tick(ctx):
    await ctx['redis'].rpush('ticks', ctx['job_id'])


async def ready(ctx):
    print('ready', flush=True)


options = dict(config.get('options', {}))
if config['codec'] == 'msgpack':
    options['job_serializer'] = msgpack.packb
    options['job_deserializer'] = lambda b: msgpack.unpackb(b, raw=False)
if config.get('cron'):
    options['cron_jobs'] = [cron(tick, name='cron:tick', second=set(range(60)))]

worker = Worker(
    functions=[
        echo, collect, tries, fail, sleep, record, hold, report, unpackable,
        func(tick, name='cron:tick'),
        func(tries, name='tries_2', max_tries=2),
        func(sleep, name='sleep_briefly', timeout=0.3),
        func(echo, name='keep_none', keep_result=0),
        func(echo, name='keep_forever', keep_result_forever=True),
        func(echo, name='keep_minute', keep_result=timedelta(minutes=1)),
    ],
    redis_settings=RedisSettings.from_dsn(config['url']),
    queue_name=config.get('queue', 'arq:queue'),
    on_startup=ready,
    **options,
)
worker.run()
