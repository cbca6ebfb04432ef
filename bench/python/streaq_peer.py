"""The peer of streaQ."""
import os
from contextlib import AsyncExitStack
from datetime import timedelta

import harness
from measure import Tally

# Spares it the checking of its own Redis commands; coredis looks while it is imported.
os.environ['COREDIS_OPTIMIZED'] = 'true'
from streaq import Worker  # noqa: E402


class Started:
    """The object by which a task reports to anyio that it runs; `started` is all of it that streaQ calls."""

    def __init__(self, ready):
        self.ready = ready

    def started(self, _=None):
        self.ready()


class StreaqPeer(harness.Peer):
    distribution = 'streaq'
    has_bulk = True

    def worker(self, handlers, **settings):
        worker = Worker(redis_url=self.url, queue_name=self.queue, **settings)
        for name, handler in handlers.items():
            # Else it composes its log lines though nobody logs them.
            worker.task(name=name, silent=True)(handler)
        return worker

    async def open(self):
        self.stack = AsyncExitStack()
        self.producer = await self.stack.enter_async_context(self.worker(Tally().handlers()))

    async def close(self):
        await self.stack.aclose()

    def task(self, name, args, defer_ms):
        task = self.producer.registry[name].enqueue(*args)
        return task.start(delay=timedelta(milliseconds=defer_ms)) if defer_ms else task

    async def enqueue(self, name, args, defer_ms=0):
        await self.task(name, args, defer_ms)

    async def enqueue_many(self, name, args, count, defer_ms=0):
        await self.producer.enqueue_many([self.task(name, args, defer_ms) for _ in range(count)])

    async def work(self, handlers, concurrency, ready):
        await self.worker(handlers, concurrency=concurrency).run_async(task_status=Started(ready))


if __name__ == '__main__':
    harness.main(StreaqPeer)
