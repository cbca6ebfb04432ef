"""The part that the Python peers share: the roles of the benchmark and their output."""
import asyncio
import importlib.metadata
import json
import os
import resource
import sys
import threading

from measure import Tally, cpu_us, now_us, peak_rss

REPORT_SECONDS = 0.05
STOP_SECONDS = 5
FILL_WIDTH = 1000


class Unsupported(Exception):
    """Something the library does not do; the text says why."""


class Peer:
    """One library. `work` and the producer's calls are never used in the same process."""

    distribution = ''
    has_bulk = False

    def __init__(self, options):
        self.url = options['redis']
        self.queue = options['queue']
        self.options = options

    async def open(self):
        """Connects a producer."""

    async def close(self):
        """Disconnects it."""

    async def enqueue(self, name, args, defer_ms=0):
        raise NotImplementedError

    async def enqueue_many(self, name, args, count, defer_ms=0):
        """The library's bulk call, where `has_bulk`."""

    async def work(self, handlers, concurrency, ready):
        """Runs one worker until cancelled; calls `ready` once it runs."""
        raise NotImplementedError


def emit(message):
    print(json.dumps(message), flush=True)


def chunks(count, width):
    for start in range(0, count, width):
        yield min(width, count - start)


def job(options):
    name = options.get('fn', 'noop')
    return name, ('x' * options.get('payloadBytes', 0),) if name == 'take' else ()


async def send(peer, mode, options, count, width, defer_ms=0):
    name, args = job(options)
    if mode == 'one':
        for _ in range(count):
            await peer.enqueue(name, args, defer_ms)
    elif mode == 'concurrent':
        for size in chunks(count, width):
            await asyncio.gather(*(peer.enqueue(name, args, defer_ms) for _ in range(size)))
    elif peer.has_bulk:
        for size in chunks(count, width):
            await peer.enqueue_many(name, args, size, defer_ms)
    else:
        raise Unsupported(f'{peer.distribution} has no call that enqueues several jobs')


async def enqueue(peer, options):
    count, mode, width = options['count'], options['mode'], options.get('width', 1000)
    await send(peer, mode, options, options.get('warm', 0), width)
    us, cpu = now_us(), cpu_us()
    await send(peer, mode, options, count, width)
    emit({'count': count, 'us': now_us() - us, 'cpuUs': cpu_us() - cpu, 'rss': peak_rss()})


async def fill(peer, options):
    mode = 'bulk' if peer.has_bulk else 'concurrent'
    await send(peer, mode, options, options['count'], FILL_WIDTH, options.get('deferMs', 0))
    emit({'filled': options['count']})


async def produce(peer, options):
    loop = asyncio.get_running_loop()
    start, calls = loop.time(), []
    for tick, size in enumerate(chunks(options['count'], options['perTick'])):
        await asyncio.sleep(start + tick * options['everyMs'] / 1000 - loop.time())
        calls += [asyncio.create_task(peer.enqueue('probe', (now_us(),))) for _ in range(size)]
    await asyncio.gather(*calls)
    emit({'sent': len(calls)})


def stdin_line():
    """A future of the first byte on stdin, or its end."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def read():
        # Not sys.stdin: a thread waiting there holds a lock that the interpreter wants when it exits.
        os.read(0, 1)
        loop.call_soon_threadsafe(future.set_result, None)

    threading.Thread(target=read, daemon=True).start()
    return future


async def unless_ended(wanted, workers):
    """Awaits `wanted`; raises if a worker ends before."""
    wanted = asyncio.ensure_future(wanted)
    await asyncio.wait({wanted, *workers}, return_when=asyncio.FIRST_COMPLETED)
    for worker in workers:
        if worker.done():
            worker.result()
            raise RuntimeError('a worker ended by itself')


async def report(tally, stopped):
    reported = 0
    while True:
        last = stopped.is_set()
        if tally.done != reported:
            reported = tally.done
            emit({'done': reported, 'us': tally.us, 'cpuUs': cpu_us(), 'rss': peak_rss()})
        if last:
            return
        await asyncio.sleep(REPORT_SECONDS)


async def work(peer, options):
    tally, running, stopped = Tally(), asyncio.Semaphore(0), asyncio.Event()

    async def all_run():
        for _ in workers:
            await running.acquire()

    workers = [
        asyncio.create_task(peer.work(tally.handlers(), options['concurrency'], running.release))
        for _ in range(options['workers'])
    ]
    await unless_ended(all_run(), workers)
    emit({'ready': True})
    reporter = asyncio.create_task(report(tally, stopped))
    await unless_ended(stdin_line(), workers)
    for worker in workers:
        worker.cancel()
    await asyncio.wait(workers, timeout=STOP_SECONDS)
    stopped.set()
    await reporter
    emit({'latenciesUs': tally.latencies})
    # Nothing is left to do, and a library that does not stop shall not hold up the benchmark.
    os._exit(0)


PRODUCERS = {'enqueue': enqueue, 'produce': produce, 'fill': fill}


async def as_producer(role, peer, options):
    await peer.open()
    try:
        await role(peer, options)
    except Unsupported as why:
        emit({'unsupported': str(why)})
    finally:
        await peer.close()


def main(peer_class):
    role, options = sys.argv[1], json.loads(sys.argv[2])
    if role == 'version':
        name = peer_class.distribution
        emit({'name': name, 'version': importlib.metadata.version(name)})
        return
    # Most of these libraries open a connection for each call, or each job, in flight.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    peer = peer_class(options)
    if role == 'work':
        asyncio.run(work(peer, options))
    else:
        asyncio.run(as_producer(PRODUCERS[role], peer, options))
