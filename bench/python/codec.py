"""Cost of reading and writing an arq job in Python: `python codec.py '{"seconds": 1}'`, seconds each."""
import json
import pickle
import platform
import statistics
import sys
import time
import timeit

import msgpack

JOB = {
    't': None,
    'f': 'resize_image',
    'a': ('s3://bucket/key.png',),
    'k': {'width': 640, 'tags': ['a', 'b'], 'ratio': 0.75},
    'et': 1764000000000,
}
RESULT = {
    **JOB,
    't': 1,
    's': True,
    'r': {'path': 's3://bucket/key-640.png', 'width': 640, 'height': 480},
    'st': 1764000000010,
    'ft': 1764000000052,
    'q': 'arq:queue',
    'id': '0123456789abcdef0123456789abcdef',
}
CODECS = {
    'pickle': ('dumps(value, protocol=4)', 'loads(data)', {'dumps': pickle.dumps, 'loads': pickle.loads}),
    'msgpack': ('packb(value)', 'unpackb(data)', {'packb': msgpack.packb, 'unpackb': msgpack.unpackb}),
}
BATCH_SECONDS = 0.02


def ns_per_call(statement, names, seconds):
    timer = timeit.Timer(statement, globals=names)
    calls = 1000
    calls = max(1, int(calls * BATCH_SECONDS / timer.timeit(calls)))
    batches, end = [], time.monotonic() + seconds
    while not batches or time.monotonic() < end:
        batches.append(timer.timeit(calls) / calls)
    # The median, for a batch during which something else ran says nothing.
    return round(statistics.median(batches) * 1e9, 1)


def measure(write, read, functions, seconds):
    costs = {}
    for what, value in (('job', JOB), ('result', RESULT)):
        names = {**functions, 'value': value}
        names['data'] = eval(write, names)
        costs[f'{what}WriteNs'] = ns_per_call(write, names, seconds)
        costs[f'{what}ReadNs'] = ns_per_call(read, names, seconds)
    return costs


def main():
    options = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    costs = {name: measure(*codec, options.get('seconds', 1)) for name, codec in CODECS.items()}
    print(json.dumps({**costs, 'python': platform.python_version()}))


if __name__ == '__main__':
    main()
