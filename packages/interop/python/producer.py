"""A producer of unmodified Python arq: commands as JSON lines on standard input, answers on standard output."""
import asyncio
import datetime
import decimal
import json
import sys
import uuid

import msgpack
from arq.connections import RedisSettings, create_pool
from arq.jobs import Job

NAMES = {'datetime': datetime, 'Decimal': decimal.Decimal, 'UUID': uuid.UUID}


def value(expression):
    """Values come as Python expressions, since JSON cannot carry them all."""
    return eval(expression, dict(NAMES))


def type_name(error):
    return f'{type(error).__module__}.{type(error).__qualname__}'


async def main(config):
    codec = {}
    if config['codec'] == 'msgpack':
        codec = dict(job_serializer=msgpack.packb, job_deserializer=lambda b: msgpack.unpackb(b, raw=False))
    pool = await create_pool(RedisSettings.from_dsn(config['url']), **codec)

    def job(command):
        return Job(command['id'], pool, command.get('queue', 'arq:queue'), pool.job_deserializer)

    async def enqueue(command):
        options = {f'_{key}': given for key, given in command.get('options', {}).items()}
        if '_defer_until' in options:
            options['_defer_until'] = datetime.datetime.fromtimestamp(options['_defer_until'], datetime.timezone.utc)
        kwargs = value(command.get('kwargs', '{}'))
        queued = await pool.enqueue_job(command['function'], *value(command['args']), **kwargs, **options)
        return queued and queued.job_id

    async def result(command):
        try:
            got = await job(command).result(timeout=command.get('timeout', 15), poll_delay=0.05)
        except (Exception, asyncio.CancelledError) as error:
            args = [str(arg) if isinstance(arg, str) else repr(arg) for arg in error.args]
            return {'error': type_name(error), 'args': args}
        equal = got == value(command['expected']) if 'expected' in command else None
        return {'repr': repr(got), 'equal': equal}

    async def info(command):
        known = await job(command).info()
        return known and {
            'function': known.function,
            'args': repr(list(known.args)),
            'kwargs': repr(known.kwargs),
            'job_try': known.job_try,
            'success': getattr(known, 'success', None),
            'queue_name': getattr(known, 'queue_name', None),
        }

    async def status(command):
        return (await job(command).status()).value

    async def abort(command):
        return await job(command).abort(timeout=command.get('timeout', 15), poll_delay=0.05)

    async def queued(command):
        return sorted(entry.job_id for entry in await pool.queued_jobs(queue_name=command.get('queue')))

    async def results(command):
        return sorted(entry.job_id for entry in await pool.all_job_results())

    commands = dict(enqueue=enqueue, result=result, info=info, status=status, abort=abort, queued=queued, results=results)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({'id': 0, 'answer': 'ready'}), flush=True)

    async def answer(request):
        try:
            reply = {'answer': await commands[request['command']](request)}
        except Exception as error:
            reply = {'failure': f'{type_name(error)}: {error}'}
        print(json.dumps({'id': request['request'], **reply}), flush=True)

    running = set()
    while line := await reader.readline():
        task = asyncio.create_task(answer(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


asyncio.run(main(json.loads(sys.argv[1])))
