"""A producer of unmodified Python arq in both codecs: enqueues at a steady rate, and writes which jobs were accepted."""
import asyncio
import random
import signal
import time

from arq.connections import create_pool

from fleet import MSGPACK, assignment, name, settings, write

stopping = asyncio.Event()
draw = random.Random(f"{name}:{assignment['seed']}")
lease = assignment['leaseMs'] / 1000


def plan():
    """The same mix as our own producer's."""
    what = draw.random()
    options = dict(task='work', ms=draw.randint(0, 60), failures=0, defer=0, job_id=None, abort_after=None)
    if what < 0.55:
        return options
    if what < 0.65:
        return options | dict(ms=draw.randint(200, 1500))
    if what < 0.72:
        return options | dict(defer=draw.uniform(0.2, 12))
    if what < 0.8:
        return options | dict(task='flaky', failures=draw.randint(1, 3))
    if what < 0.84:
        return options | dict(task='failing')
    if what < 0.88:
        return options | dict(task='stubborn', failures=draw.randint(1, 2))
    if what < 0.95:
        return options | dict(task='unique', job_id=f'unique:{draw.randint(1, 40)}')
    return options | dict(ms=draw.randint(300, 2500), abort_after=draw.uniform(0, 2.5))


async def enqueue(pool, queue, number, job):
    nonce = f'{name}/{number}'
    try:
        queued = await pool.enqueue_job(
            job['task'], nonce, job['ms'], job['failures'],
            _queue_name=queue, _job_id=job['job_id'], _defer_by=job['defer'] or None,
        )
    except Exception as error:
        await write(event='uncertain', nonce=nonce, producer=name, error=repr(error))
        return
    if queued is None:
        return
    deferred = dict(deferMs=round(job['defer'] * 1000))
    await write(event='accepted', nonce=nonce, jobId=queued.job_id, task=job['task'], producer=name, **deferred)
    if job['abort_after'] is not None:
        await asyncio.sleep(job['abort_after'])
        await write(event='abort', jobId=queued.job_id, producer=name)
        try:
            await queued.abort(timeout=0.05)
        except (Exception, asyncio.CancelledError):
            pass


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    pools = [
        (await create_pool(settings()), 'arq:queue'),
        (await create_pool(settings(), **MSGPACK), 'chaos:msgpack'),
    ]
    print('ready', flush=True)
    pending, number, owed, last = set(), 0, 0.0, time.monotonic()
    while not stopping.is_set():
        now = time.monotonic()
        owed = min(owed + (now - last) * assignment['pythonRate'], assignment['pythonRate'])
        last = now
        while owed >= 1 and len(pending) < 200:
            owed -= 1
            number += 1
            one = asyncio.create_task(enqueue(*draw.choice(pools), number, plan()))
            pending.add(one)
            one.add_done_callback(pending.discard)
        await asyncio.sleep(0.02)
    await asyncio.gather(*pending, return_exceptions=True)


asyncio.run(main())
