"""A Python worker with functions of every kind of signature. Arguments: the URL of Redis, its queue, its codec."""
import datetime
import decimal
import sys
import uuid

import msgpack
from arq.connections import RedisSettings
from arq.worker import Worker, func


async def charge(ctx, customer, amount=decimal.Decimal('1.50'), *, note=None):
    return {
        'id': uuid.UUID(int=7), 'at': datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        'customer': customer, 'amount': amount, 'note': note, 'lines': ('a', 2 ** 70),
    }


async def greet(ctx, name, greeting='hello', *marks, loud=False, **others):
    text = f'{greeting} {name}'
    return [text.upper() if loud else text, sorted(others)]


async def kinds(ctx, **values):
    return {key: type(value).__name__ for key, value in values.items()}


async def ready(ctx):
    print('ready', flush=True)


url, queue, codec = sys.argv[1:]
serial = {} if codec == 'pickle' else {
    'job_serializer': msgpack.packb, 'job_deserializer': lambda data: msgpack.unpackb(data, strict_map_key=False),
}
Worker(
    [func(charge, max_tries=1), func(greet, max_tries=1), func(kinds, max_tries=1)],
    redis_settings=RedisSettings.from_dsn(url), queue_name=queue, on_startup=ready, poll_delay=0.02, **serial,
).run()
