"""The peer of taskiq on Redis. It needs a newer redis-py than the others: see requirements-taskiq.txt."""
import logging

from taskiq import TaskiqEvents
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

import harness
from measure import Tally

# It warns at every stop that it was stopped.
logging.getLogger('taskiq.receiver').setLevel(logging.ERROR)


class TaskiqPeer(harness.Peer):
    distribution = 'taskiq-redis'

    def broker(self, handlers):
        # Of its brokers this one works fastest: it reads 100 jobs at a time. It keeps the finished ones in the stream
        # for ever; leaving them there is the cheapest, and a `maxlen` would drop jobs that nobody has read yet.
        broker = RedisStreamBroker(self.url, queue_name=self.queue)
        self.tasks = {name: broker.task(task_name=name)(handler) for name, handler in handlers.items()}
        return broker

    async def open(self):
        self.producer = self.broker(Tally().handlers())
        # Makes the consumer group too, which sees only what comes after it.
        await self.producer.startup()

    async def close(self):
        await self.producer.shutdown()

    async def enqueue(self, name, args, defer_ms=0):
        if defer_ms:
            raise harness.Unsupported('taskiq leaves delays to a scheduler, a process of its own')
        await self.tasks[name].kiq(*args)

    async def work(self, handlers, concurrency, ready):
        broker = self.broker(handlers)
        broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, lambda _: ready())
        try:
            await run_receiver_task(broker, max_async_tasks=concurrency, run_startup=True)
        finally:
            await broker.shutdown()


if __name__ == '__main__':
    harness.main(TaskiqPeer)
