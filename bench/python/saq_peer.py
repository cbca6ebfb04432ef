"""The peer of SAQ."""
import logging
import math
import time

from saq import Queue, Worker

import harness

# It warns at every stop that it cancels its idle waiting for jobs.
logging.getLogger('saq').setLevel(logging.ERROR)


def with_keywords(handler):
    # SAQ passes a job's arguments by keyword only.
    async def call(_, args=()):
        await handler(*args)

    return call


class SaqPeer(harness.Peer):
    distribution = 'saq'

    async def connect(self):
        # By default 20 calls at most are in flight, which costs it about a tenth of its speed.
        queue = Queue.from_url(self.url, name=self.queue, max_concurrent_ops=1000)
        await queue.connect()
        return queue

    async def open(self):
        self.producer = await self.connect()

    async def close(self):
        await self.producer.disconnect()

    async def enqueue(self, name, args, defer_ms=0):
        job = {'args': args} if args else {}
        if defer_ms:
            # SAQ knows whole seconds only.
            job['scheduled'] = math.ceil(time.time() + defer_ms / 1000)
        await self.producer.enqueue(name, **job)

    async def work(self, handlers, concurrency, ready):
        async def startup(_):
            ready()

        queue = await self.connect()
        functions = [(name, with_keywords(handler)) for name, handler in handlers.items()]
        try:
            await Worker(queue, functions, concurrency=concurrency, startup=startup).start()
        finally:
            await queue.disconnect()


if __name__ == '__main__':
    harness.main(SaqPeer)
