"""CPython's half of the differential tests: random values out, what came back compared.

Usage: codec-differential.py offer <codec> <seed> <count>   values of ours, in every protocol; replies are compared
       codec-differential.py echo  <codec> <seed>           whatever comes is loaded and written again
       codec-differential.py fixtures                       the pickles of test/unit/fixtures/cpython-pickles.json
Frames on stdin and stdout: four bytes of length, big endian, then the bytes. An empty frame ends a batch. The last
batch of `offer` is a JSON report.
"""

import base64
import collections
import datetime
import decimal
import fractions
import json
import math
import pickle
import random
import struct
import sys
import traceback
import uuid

from differences import why_different
from random_values import ZONES, Maker
from user_classes import *

try:
    import msgpack
except ImportError:
    msgpack = None


def dump(value, codec, protocol):
    if codec == 'pickle':
        return pickle.dumps(value, protocol)
    if codec == 'msgpack':
        return msgpack.packb(value)
    return json.dumps(value).encode()


def load(data, codec):
    if codec == 'pickle':
        return pickle.loads(data)
    if codec == 'msgpack':
        return msgpack.unpackb(data, raw=False, strict_map_key=False)
    return json.loads(data)


def read_frame():
    head = sys.stdin.buffer.read(4)
    if len(head) < 4:
        return None
    return sys.stdin.buffer.read(struct.unpack('>I', head)[0])


def write_frame(data):
    sys.stdout.buffer.write(struct.pack('>I', len(data)) + data)


def offer(codec, seed, count):
    maker = Maker(seed, codec)
    protocols = range(min(pickle.HIGHEST_PROTOCOL, 5) + 1) if codec == 'pickle' else [0]
    report = {'values': count, 'payloads': 0, 'bytes': 0, 'unreadable': 0, 'differences': []}
    for start in range(0, count, 50):
        offered = []
        for index in range(start, min(start + 50, count)):
            value = maker.container(0) if codec != 'pickle' else maker.value()
            if codec != 'pickle':
                # As large as a job: their first byte distinguishes the codecs.
                value = {'f': 1, 't': 2, 'a': value, 'k': 3, 'et': 4}
            for protocol in protocols:
                try:
                    data = dump(value, codec, protocol)
                    reference = load(data, codec)
                except Exception:
                    # Values that this protocol cannot carry in Python itself.
                    report['unreadable'] += 1
                    continue
                offered.append((index, protocol, reference))
                report['payloads'] += 1
                report['bytes'] += len(data)
                write_frame(data)
        write_frame(b'')
        sys.stdout.buffer.flush()
        for index, protocol, reference in offered:
            data = read_frame()
            try:
                if data[:1] == b'!':
                    found = data[1:].decode('utf-8', 'replace')
                else:
                    found = why_different(reference, load(data, codec))
            except Exception:
                found = traceback.format_exc(limit=1)
            if found:
                report['differences'].append(f'value {index}, protocol {protocol}: {found[:400]}')
    write_frame(json.dumps({'report': report}).encode())
    write_frame(b'')
    sys.stdout.buffer.flush()


def echo(codec, seed):
    rng = random.Random(seed)
    while True:
        data = read_frame()
        if data is None:
            return
        if data == b'':
            write_frame(b'')
            sys.stdout.buffer.flush()
            continue
        try:
            # Protocols below 4 drop the fold of a datetime.
            write_frame(dump(load(data, codec), codec, rng.choice([4, 5])))
        except Exception as error:
            write_frame(b'!' + f'{type(error).__name__}: {error}'.encode('utf-8', 'replace'))


def fixtures():
    shared = [1]
    cycle = {'list': []}
    cycle['list'].append(cycle)
    values = {
        'scalars': [None, True, False, 0, 255, 256, 65536, -1, 2**31, -(2**31), 2**53, -(2**200), 1.5, math.inf, -0.0],
        'texts': ['', 'a', 'é', '\U0001f600', '\ud800', 'line\nbreak \\ quote', 'x' * 300],
        'bytes': [b'', b'\x00\xff', bytearray(b'ab'), b'y' * 300],
        'containers': {'list': [1, [2, []]], 'tuple': ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)), 'set': {1}, 'frozen': frozenset([1])},
        'dicts': {'text': {'a': 1}, 'mixed': {1: 'one', (1, 2): 'pair', None: 'none', b'k': 'bytes'}, '__proto__': {'polluted': True}},
        'shared': [shared, shared],
        'cycle': cycle,
        'dates': [
            datetime.datetime(2024, 2, 29, 12, 30, 1, 123456),
            datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc),
            datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
            datetime.datetime(2024, 7, 1, 12, tzinfo=ZONES[0]),
            datetime.date(1999, 12, 31),
            datetime.time(23, 59, 59, 1),
            datetime.timedelta(days=-1, seconds=3, microseconds=5),
        ],
        'numbers': [decimal.Decimal('1.50'), fractions.Fraction(1, 3), 1 + 2j, range(1, 10, 2), uuid.UUID(int=2**127 + 5)],
        'collections': [
            collections.OrderedDict([('b', 1), ('a', 2)]),
            collections.Counter('aab'),
            collections.defaultdict(list, {'a': [1]}),
            collections.deque([1, 2], 3),
        ],
        'inert': [Color.RED, Point(1, 'a'), Pair(1, 2), Keyworded(1, b=2), MyList([1]), MyDict(a=1), MyInt(7), Stateful(1), Slotted(1, 2)],
        'exceptions': [ValueError('bad', 1), OSError(2, 'No such file', 'a.txt'), Boom('own', 3), ImportError('no', name='x')],
        'job': {'t': None, 'f': 'resize', 'a': ('a.png', 800), 'k': {'quality': 85}, 'et': 1732446000123},
        'result': {
            **{'t': 1, 'f': 'resize', 'a': ('a.png', 800), 'k': {}, 'et': 1732446000123},
            **{'s': False, 'r': Boom('own', 3), 'st': 1732446000223, 'ft': 1732446000323, 'q': 'arq:queue', 'id': 'abc'},
        },
    }
    made = []
    for name, value in values.items():
        for protocol in range(6):
            try:
                data = pickle.dumps(value, protocol)
            except Exception:
                data = pickle.dumps(value[:-1], protocol)  # objects with slots need protocol 2
            made.append({'name': name, 'protocol': protocol, 'base64': base64.b64encode(data).decode()})
    print('[')
    print(',\n'.join('  ' + json.dumps(one) for one in made))
    print(']')


if __name__ == '__main__':
    sys.setrecursionlimit(10_000)
    if sys.argv[1] == 'offer':
        offer(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1] == 'fixtures':
        fixtures()
    else:
        echo(sys.argv[2], int(sys.argv[3]))
