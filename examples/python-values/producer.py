"""Enqueues a job whose arguments are values of Python, pickled as arq does by default."""

import asyncio
import os
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

from arq import create_pool
from arq.connections import RedisSettings


class Invoice:
    def __init__(self, number: int, total: Decimal) -> None:
        self.number = number
        self.total = total


async def main() -> None:
    redis = await create_pool(RedisSettings.from_dsn(os.environ['REDIS_URL']), default_queue_name='example:python-values')
    await redis.enqueue_job(
        'show',
        count=2**70,
        price=Decimal('9.90'),
        at=datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=2))),
        day=date(2026, 3, 29),
        wait=timedelta(minutes=5),
        id=UUID('6f1ed002-ab59-5b9c-8f1f-5c7a4b4e0f3a'),
        pair=('a', 1),
        tags={'new'},
        ordered=OrderedDict(b=1, a=2),
        data=b'\x00\xff',
        invoice=Invoice(7, Decimal('12.50')),
    )
    await redis.close()


asyncio.run(main())
