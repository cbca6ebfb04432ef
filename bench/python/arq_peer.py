"""The peer of Python arq. Its own options: `pollDelay` (seconds; 0 polls without a pause), `serializer` ('msgpack')."""
import functools

import msgpack
from arq.connections import RedisSettings, create_pool
from arq.worker import Worker, func

import harness


class ArqPeer(harness.Peer):
    distribution = 'arq'

    def __init__(self, options):
        super().__init__(options)
        self.settings = RedisSettings.from_dsn(self.url)
        self.serializers = {}
        if options.get('serializer') == 'msgpack':
            self.serializers = {
                'job_serializer': msgpack.packb,
                'job_deserializer': functools.partial(msgpack.unpackb, raw=False),
            }

    async def open(self):
        self.pool = await create_pool(self.settings, default_queue_name=self.queue, **self.serializers)

    async def close(self):
        await self.pool.aclose(close_connection_pool=True)

    async def enqueue(self, name, args, defer_ms=0):
        await self.pool.enqueue_job(name, *args, _defer_by=defer_ms / 1000 or None)

    async def work(self, handlers, concurrency, ready):
        async def on_startup(_):
            ready()

        poll = {'poll_delay': self.options['pollDelay']} if 'pollDelay' in self.options else {}
        worker = Worker(
            [func(handler, name=name) for name, handler in handlers.items()],
            queue_name=self.queue,
            redis_settings=self.settings,
            max_jobs=concurrency,
            on_startup=on_startup,
            handle_signals=False,
            **self.serializers,
            **poll,
        )
        try:
            await worker.async_run()
        finally:
            await worker.close()


if __name__ == '__main__':
    harness.main(ArqPeer)
