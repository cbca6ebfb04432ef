"""The Python half of the night: mail that fails once the relay is down, and too few workers for it."""

import asyncio
import os
import random
import time

from arq import Retry, cron
from arq.connections import RedisSettings


class SMTPServerDisconnected(Exception):
    pass


async def send_mail(ctx, to, template='welcome', context=None):
    await asyncio.sleep(random.uniform(0.05, 0.4))
    if time.time() * 1000 > float(os.environ['RELAY_DOWN_AT_MS']) and random.random() < 0.5:
        if ctx['job_try'] < 3 and random.random() < 0.5:
            raise Retry(defer=30 * ctx['job_try'])
        raise SMTPServerDisconnected(f'Unexpected EOF received for {to}')
    return {'to': to, 'template': template}


async def delete_collection(ctx, collection):
    await asyncio.sleep(random.uniform(0.01, 0.1))
    return {'collection': collection, 'deleted': True}


async def digest(ctx):
    return 'sent'


class Mail:
    functions = [send_mail]
    cron_jobs = [cron(digest, minute={0, 10, 20, 30, 40, 50})]
    queue_name = 'mail'
    redis_settings = RedisSettings.from_dsn(os.environ['REDIS_URL'])
    max_jobs = 4
    health_check_interval = 30
    keep_result = 3600


class Default:
    functions = [delete_collection]
    queue_name = 'arq:queue'
    redis_settings = RedisSettings.from_dsn(os.environ['REDIS_URL'])
    health_check_interval = 30
