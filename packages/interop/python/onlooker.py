"""Describes a database as Python arq would see it: requests and answers as JSON lines."""
import json
import pickle
import sys

import msgpack
from redis import Redis


def text(value):
    return value.decode(errors='backslashreplace')


def described(value):
    """`repr`, with what an exception's own leaves out."""
    if isinstance(value, BaseException):
        state = {key: each for key, each in vars(value).items() if not key.startswith('__')}
        name = f'{type(value).__module__}.{type(value).__qualname__}'
        return f'{name}{value.args!r}' + (f' with {state!r}' if state else '')
    return repr(value)


def payload(data):
    """The codec, and the fields of a job or a result."""
    for name, load in (('pickle', pickle.loads), ('msgpack', lambda b: msgpack.unpackb(b, raw=False)), ('json', json.loads)):
        try:
            value = load(data)
        except Exception:
            continue
        if isinstance(value, dict) and 'f' in value:
            return name, {key: described(each) for key, each in value.items()}
    return 'raw', {'bytes': repr(data)}


def content(redis, key, kind):
    if kind == 'string':
        data = redis.get(key)
        if key.startswith((b'arq:job:', b'arq:result:')):
            codec, fields = payload(data or b'')
            return {'codec': codec, 'fields': fields}
        return text(data or b'')
    if kind == 'zset':
        return {text(member): score for member, score in redis.zrange(key, 0, -1, withscores=True)}
    if kind == 'hash':
        return {text(field): text(value) for field, value in redis.hgetall(key).items()}
    if kind == 'set':
        return sorted(map(text, redis.smembers(key)))
    return None


for line in sys.stdin:
    request = json.loads(line)
    redis = Redis.from_url(request['url'])
    keys = {}
    for key in sorted(redis.scan_iter()):
        kind = text(redis.type(key))
        keys[text(key)] = {'type': kind, 'ttlMs': redis.pttl(key), 'content': content(redis, key, kind)}
    redis.close()
    print(json.dumps({'id': request['id'], 'keys': keys}), flush=True)
