"""Clocks, memory, and the handlers that count what a worker does."""
import asyncio
import time


def now_us():
    return time.monotonic_ns() // 1000


def cpu_us():
    return time.process_time_ns() // 1000


def peak_rss():
    # ru_maxrss is at least what the parent had when it forked us, so a small child of a big parent looks big.
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith('VmHWM:'))


class Tally:
    def __init__(self):
        self.done = 0
        self.us = 0
        self.latencies = []

    def end(self):
        self.done += 1
        self.us = now_us()

    def handlers(self):
        # Some libraries pass a context first, so the job's argument is the last one.
        async def noop(*_):
            self.end()

        async def sleep1(*_):
            await asyncio.sleep(0.001)
            self.end()

        async def probe(*args):
            self.latencies.append(now_us() - args[-1])
            self.end()

        async def take(*_):
            self.end()

        async def hold(*_):
            # Counts as done when it begins, and does not end.
            self.end()
            await asyncio.Event().wait()

        return {'noop': noop, 'sleep1': sleep1, 'probe': probe, 'take': take, 'hold': hold}
