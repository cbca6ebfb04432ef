"""The common part of the Python half of the fleet: its assignment, the ledger, arq's settings."""
import json
import sys

import msgpack
import redis.asyncio
from arq.connections import RedisSettings

assignment = json.loads(sys.argv[1])
name = assignment['worker']
MSGPACK = dict(job_serializer=msgpack.packb, job_deserializer=lambda b: msgpack.unpackb(b, raw=False))
ledger = redis.asyncio.Redis(host='127.0.0.1', port=assignment['ledgerPort'])


async def write(**entry):
    await ledger.xadd('ledger', entry)


def settings():
    target = assignment['redis']
    common = dict(password=target['password'], database=target['db'])
    if target['kind'] == 'single':
        return RedisSettings(host='127.0.0.1', port=target['port'], **common)
    hosts = [(each['host'], each['port']) for each in target['sentinels']]
    return RedisSettings(host=hosts, sentinel=True, sentinel_master=target['master'], **common)
