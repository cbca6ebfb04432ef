"""The task of the mixed fleet for workers of Python arq: `arq documents.WorkerSettings`."""
import hashlib
import os
import pathlib

from arq.connections import RedisSettings

root = pathlib.Path(os.environ['DOCUMENTS_ROOT'])


async def summarise_document(ctx, path: str, encoding: str = 'utf-8'):
    data = (root / path).read_bytes()
    text = data.decode(encoding, errors='replace')
    return {
        'path': path,
        'bytes': len(data),
        'lines': text.count('\n'),
        'words': len(text.split()),
        'sha256': hashlib.sha256(data).hexdigest(),
        'by': 'Python',
    }


class WorkerSettings:
    functions = [summarise_document]
    redis_settings = RedisSettings.from_dsn(os.environ['REDIS_URL'])
    queue_name = os.environ.get('DOCUMENTS_QUEUE', 'arq:queue')
    poll_delay = 0.05
    log_results = False
