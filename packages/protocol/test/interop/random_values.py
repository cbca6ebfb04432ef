"""Random nested values of every kind the codecs promise."""

import collections
import datetime
import decimal
import fractions
import ipaddress
import json
import math
import pathlib
import random
import struct
import types
import uuid

from user_classes import *

try:
    import zoneinfo

    ZONES = [zoneinfo.ZoneInfo(key) for key in ('Europe/Berlin', 'America/New_York', 'Asia/Kolkata')]
except Exception:
    ZONES = []


class Maker:
    """Random values. `plain` ones are what msgpack and JSON can carry."""

    def __init__(self, seed, codec):
        self.random = random.Random(seed)
        self.codec = codec

    def value(self, depth=0):
        roll = self.random.random()
        if depth < 4 and roll < (0.75 if depth == 0 else 0.4):
            return self.container(depth)
        return self.leaf()

    def leaf(self):
        makers = [self.none, self.bool, self.int, self.int, self.float, self.text, self.text]
        if self.codec != 'json':
            makers += [self.bytes]
        if self.codec == 'pickle':
            makers += [self.bytearray, self.date, self.date, self.delta, self.number, self.uuid, self.inert, self.exception]
        return self.random.choice(makers)()

    def none(self):
        return None

    def bool(self):
        return self.random.random() < 0.5

    def int(self):
        r = self.random
        if r.random() < 0.3:
            return r.randrange(-300, 300)
        top = 200 if self.codec != 'msgpack' else 63
        edge = (1 << r.randrange(0, top + 1)) + r.choice([-1, 0, 1])
        number = edge if r.random() < 0.5 else r.getrandbits(r.randrange(1, top + 1))
        if self.codec == 'msgpack':
            return min(number, 2**64 - 1) if r.random() < 0.6 else max(-number, -(2**63))
        return -number if r.random() < 0.5 else number

    def float(self):
        r = self.random
        if r.random() < 0.2 and self.codec != 'json':
            return r.choice([math.inf, -math.inf, math.nan, 0.0, -0.0])
        if r.random() < 0.2:
            return r.choice([5e-324, 1.7976931348623157e308, 1e16, 1e21, 0.1, 2.5, -1e-7])
        if r.random() < 0.3:
            return struct.unpack('>d', struct.pack('>d', r.uniform(-1e300, 1e300)))[0]
        return r.uniform(-1000, 1000)

    def text(self):
        r = self.random
        length = r.choice([0, 1, 3, 8, 8, 20, 40, 70, 260]) if r.random() < 0.999 else 70_000
        kind = r.random()
        if kind < 0.5:
            return ''.join(r.choices('abcdefghijklmnopqrstuvwxyz_ \\\n\r\x00\x1a\'"', k=length))
        if kind < 0.9:
            return ''.join(r.choices('a\x7f\x80\xff\u0100\u07ff\u0800\ufffd\uffff\U00010000\U0001f600\U0010ffff', k=length))
        if self.codec == 'msgpack':
            return 'x'
        # Lone surrogates. A high one before a low one would be one character to JavaScript.
        return ''.join(r.choices('aé\U0001f600\udc80\udfff', k=length)) + '\ud800'

    def bytes(self):
        r = self.random
        return bytes(r.choices(range(256), k=r.choice([0, 1, 3, 16, 255, 256, 1000])))

    def bytearray(self):
        return bytearray(self.bytes())

    def date(self):
        r = self.random
        zones = [None, None, datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=r.randrange(-23, 24), minutes=30))]
        zones += [datetime.timezone(datetime.timedelta(seconds=r.randrange(-80000, 80000)), 'named'), *ZONES]
        zone = r.choice(zones)
        kind = r.random()
        if kind < 0.2:
            return datetime.date(r.randrange(1, 10000), r.randrange(1, 13), r.randrange(1, 29))
        clock = (r.randrange(24), r.randrange(60), r.randrange(60), r.choice([0, 1, 999999, r.randrange(1000000)]))
        if kind < 0.35:
            return datetime.time(*clock, tzinfo=r.choice([None, datetime.timezone.utc]), fold=r.randrange(2))
        year = r.choice([1, 99, 1969, 1970, 2024, 9999, r.randrange(1, 10000)])
        return datetime.datetime(year, r.randrange(1, 13), r.randrange(1, 29), *clock, tzinfo=zone, fold=r.randrange(2))

    def delta(self):
        r = self.random
        return datetime.timedelta(days=r.randrange(-999999, 999999), seconds=r.randrange(-90000, 90000), microseconds=r.randrange(-10**7, 10**7))

    def number(self):
        r = self.random
        return r.choice(
            [
                decimal.Decimal(r.uniform(-1e6, 1e6)),
                decimal.Decimal(r.choice(['1.50', '-0', '1E+400', 'NaN', 'sNaN', 'Infinity', '0.000'])),
                fractions.Fraction(r.randrange(-(2**70), 2**70), r.randrange(1, 2**70)),
                complex(r.uniform(-1, 1), r.choice([0.0, -0.0, 2.5, math.inf])),
                range(r.randrange(5), r.randrange(100), r.randrange(1, 5)),
            ]
        )

    def uuid(self):
        return uuid.UUID(int=self.random.getrandbits(self.random.choice([10, 128])))

    def inert(self):
        r = self.random
        return r.choice(
            [
                lambda: r.choice(list(Color)),
                lambda: r.choice(list(Level)),
                lambda: Access.READ | Access.WRITE,
                lambda: Point(self.int(), self.text()),
                lambda: Frozen(r.randrange(9), 'x'),
                lambda: Slotted(self.int(), None),
                lambda: Pair(self.int(), self.text()),
                lambda: Keyworded(1, b=self.int()),
                lambda: MyList([1, self.text()]),
                lambda: MyDict({'a': self.int(), 2: None}),
                lambda: MySet([1, 2]),
                lambda: MyInt(r.getrandbits(40)),
                lambda: Stateful(self.text()),
                lambda: SetByFunction(self.int()),
                lambda: pathlib.PurePosixPath('/a/b', 'c'),
                lambda: ipaddress.ip_address('10.0.0.1'),
                lambda: types.SimpleNamespace(a=1),
                lambda: Color,
                lambda: r.choice([int, len, json.dumps, collections.OrderedDict, object]),
                lambda: Point.__init__,
            ]
        )()

    def exception(self):
        r = self.random
        noted = ValueError('with a note')
        noted.__notes__ = ['here']
        return r.choice(
            [
                lambda: ValueError(self.text()),
                lambda: KeyError(self.int(), self.text()),
                lambda: RuntimeError(),
                lambda: Boom('bad', 7),
                lambda: OSError(2, 'No such file', 'a.txt'),
                lambda: UnicodeDecodeError('utf-8', b'\xff', 0, 1, 'invalid'),
                lambda: StopIteration(1),
                lambda: ImportError('no', name='x'),
                lambda: noted,
                lambda: Exception(ValueError('inner'), [1, (2,)]),
            ]
        )()

    def key(self, depth=0):
        if self.codec == 'json':
            return self.text()
        makers = [self.text, self.text, self.int, self.bytes, self.bool]
        if self.codec == 'pickle':
            makers += [self.date, self.uuid, self.none, lambda: self.random.choice(list(Color))]
            if depth < 2:
                makers += [lambda: tuple(self.key(depth + 1) for _ in range(self.random.randrange(5)))]
                makers += [lambda: frozenset(self.key(depth + 1) for _ in range(self.random.randrange(3)))]
        return self.random.choice(makers)()

    def container(self, depth):
        r = self.random
        size = r.choice([0, 1, 2, 3, 4, 6]) if r.random() < 0.99 else 1100
        if size > 6:
            depth = 4
        items = [self.value(depth + 1) for _ in range(size)]
        kinds = ['list', 'dict', 'dict', 'keyed']
        if self.codec == 'pickle':
            kinds += ['tuple', 'tuple', 'set', 'frozenset', 'ordered', 'default', 'counter', 'deque', 'shared', 'cycle', 'point', 'error']
        kind = r.choice(kinds)
        if kind == 'list':
            return items
        if kind == 'tuple':
            return tuple(items)
        if kind == 'dict':
            return {self.text(): item for item in items}
        if kind == 'keyed':
            return {self.key(): item for item in items}
        if kind in ('set', 'frozenset'):
            members = [self.key() for _ in range(size)]
            return set(members) if kind == 'set' else frozenset(members)
        if kind == 'ordered':
            return collections.OrderedDict((self.key(), item) for item in items)
        if kind == 'default':
            made = collections.defaultdict(r.choice([int, list, None]))
            made.update((self.key(), item) for item in items)
            return made
        if kind == 'counter':
            return collections.Counter(self.key() for _ in range(size))
        if kind == 'deque':
            return collections.deque(items, r.choice([None, 10, 2]))
        if kind == 'shared':
            return [items, items, (items, tuple(items)), {'again': items}]
        if kind == 'point':
            return Point(items, self.value(depth + 1))
        if kind == 'error':
            return Boom(items, 1)
        return self.cycle(items)

    def cycle(self, items):
        r = self.random
        kind = r.randrange(5)
        if kind == 0:
            items.append(items)
            return items
        if kind == 1:
            made = {1: items}
            made['self'] = made
            made[2] = 'a key that is no text, after the cycle'
            return made
        if kind == 2:
            made = ([],)
            made[0].append(made)
            return made
        if kind == 3:
            made = ([], 1, 2, 3, items)
            made[0].append(made)
            return made
        point = Point(items, None)
        point.y = point
        return point
