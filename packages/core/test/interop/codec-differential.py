"""CPython's half of the differential tests: random values out, what came back compared.

Usage: codec-differential.py offer  <codec> <seed> <count>   values of ours, in every protocol; replies are compared
       codec-differential.py echo   <codec> <seed>           whatever comes is loaded and written again
Frames on stdin and stdout: four bytes of length, big endian, then the bytes. An empty frame ends a batch. The last
frame of `offer` is a JSON report.
"""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import json
import math
import pathlib
import pickle
import random
import struct
import sys
import traceback
import types
import uuid

try:
    import msgpack
except ImportError:
    msgpack = None

try:
    import zoneinfo

    ZONES = [zoneinfo.ZoneInfo(key) for key in ('Europe/Berlin', 'America/New_York', 'Asia/Kolkata')]
except Exception:
    ZONES = []


class Color(enum.Enum):
    RED = 1
    BLUE = 'blue'


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: object
    y: object


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int
    name: str


class Slotted:
    __slots__ = ('a', 'b')

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __eq__(self, other):
        return type(other) is Slotted and same_value(self.a, other.a) and same_value(self.b, other.b)


class Keyworded:
    """Made by `__new__` with keywords, which takes NEWOBJ_EX, and in protocols 2 and 3 a partial."""

    def __new__(cls, a, *, b):
        self = object.__new__(cls)
        self.a, self.b = a, b
        return self

    def __getnewargs_ex__(self):
        return (self.a,), {'b': self.b}


class MyList(list):
    pass


class MyDict(dict):
    pass


class MySet(set):
    pass


class MyInt(int):
    pass


class Boom(Exception):
    def __init__(self, message, code=0):
        super().__init__(message, code)
        self.code = code


class Stateful:
    def __init__(self, value):
        self.value = value

    def __getstate__(self):
        return ('state', self.value)

    def __setstate__(self, state):
        assert state[0] == 'state'
        self.value = state[1]


def set_by_function(obj, state):
    obj.__dict__.update(state)


class SetByFunction:
    def __init__(self, value):
        self.value = value

    def __reduce_ex__(self, protocol):
        return object.__new__, (SetByFunction,), {'value': self.value}, None, None, set_by_function


Pair = collections.namedtuple('Pair', 'left right')


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
            return ''.join(r.choice('abcdefghijklmnopqrstuvwxyz_ \\\n\r\x00\x1a\'"') for _ in range(length))
        if kind < 0.9:
            return ''.join(chr(r.choice([0x61, 0x7F, 0x80, 0xFF, 0x100, 0x7FF, 0x800, 0xFFFD, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF])) for _ in range(length))
        if self.codec == 'msgpack':
            return 'x'
        # Lone surrogates. A high one before a low one would be one character to JavaScript.
        return ''.join(r.choice(['a', 'é', '\U0001f600', '\udc80', '\udfff']) for _ in range(length)) + '\ud800'

    def bytes(self):
        r = self.random
        return bytes(r.getrandbits(8) for _ in range(r.choice([0, 1, 3, 16, 255, 256, 1000])))

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
            makers += [self.date, self.uuid, self.none, lambda: r_choice(self.random, list(Color))]
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


def r_choice(rng, items):
    return rng.choice(items)


def same_value(a, b):
    return why_different(a, b) is None


def why_different(a, b, seen=None, path=''):
    """None where b is what a was; else where and how they differ."""
    seen = {} if seen is None else seen
    if isinstance(a, float) and type(a) is float and type(b) is int and a.is_integer() and math.copysign(1, a) == (1 if b >= 0 else -1) and a == b:
        return None  # a number in JavaScript has one kind of zero digits behind the point
    if type(a) is not type(b):
        return f'{path}: {type(a).__name__} became {type(b).__name__}: {a!r:.80} {b!r:.80}'
    if isinstance(a, (list, dict, set, tuple, Exception, Point, collections.deque)) and not isinstance(a, enum.Enum):
        known = seen.get(id(a))
        if known is not None:
            return None if known is b or not isinstance(a, (list, dict, set, Point)) else f'{path}: identity is lost'
        seen[id(a)] = b
    if isinstance(a, float):
        equal = (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
        return None if equal else f'{path}: {a!r} became {b!r}'
    if isinstance(a, decimal.Decimal):
        return None if str(a) == str(b) else f'{path}: {a!r} became {b!r}'
    if isinstance(a, dict):
        if len(a) != len(b):
            return f'{path}: {len(a)} keys became {len(b)}'
        if isinstance(a, collections.OrderedDict) and list(a) != list(b):
            return f'{path}: another order'
        if isinstance(a, collections.defaultdict) and a.default_factory is not b.default_factory:
            return f'{path}: another factory'
        for key in a:
            if key not in b:
                return f'{path}: key {key!r:.80} is missing'
            found = why_different(a[key], b[key], seen, f'{path}[{key!r:.20}]')
            if found:
                return found
        kinds = collections.Counter(kind(key) for key in a)
        return None if kinds == collections.Counter(kind(key) for key in b) else f'{path}: other kinds of keys'
    if isinstance(a, collections.deque) and a.maxlen != b.maxlen:
        return f'{path}: another maxlen'
    if isinstance(a, (list, tuple, collections.deque)):
        if len(a) != len(b):
            return f'{path}: {len(a)} items became {len(b)}'
        for index, (left, right) in enumerate(zip(a, b)):
            found = why_different(left, right, seen, f'{path}[{index}]')
            if found:
                return found
        return None
    if isinstance(a, (datetime.datetime, datetime.time)):
        equal = a == b and a.fold == b.fold and repr(a.tzinfo) == repr(b.tzinfo) and repr(a) == repr(b)
        return None if equal else f'{path}: {a!r} became {b!r}'
    if isinstance(a, BaseException):
        return why_different(a.args, b.args, seen, f'{path}.args') or why_different(a.__dict__, b.__dict__, seen, f'{path}.__dict__')
    if isinstance(a, (Point, Stateful, Keyworded, SetByFunction)):
        return why_different(vars(a), vars(b), seen, f'{path}.vars')
    if isinstance(a, (enum.Enum, type, types.BuiltinFunctionType, types.FunctionType)):
        return None if a is b else f'{path}: not the same'
    if isinstance(a, complex):
        return None if repr(a) == repr(b) else f'{path}: {a!r} became {b!r}'
    return None if a == b else f'{path}: {a!r:.80} became {b!r:.80}'


def kind(key):
    return 'number' if type(key) in (int, float) else type(key).__name__


def dump(value, codec, protocol):
    if codec == 'pickle':
        return pickle.dumps(value, protocol)
    if codec == 'msgpack':
        return msgpack.packb(value)
    return json.dumps(value, ensure_ascii=protocol % 2 == 0).encode('utf-8', 'surrogatepass' if protocol % 2 == 0 else 'strict')


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
                # As large as a job: their first byte tells the codecs apart.
                value = {'f': 1, 't': 2, 'a': value, 'k': 3, 'et': 4}
            for protocol in protocols:
                try:
                    data = dump(value, codec, protocol)
                    reference = load(data, codec)
                except Exception:
                    # What this protocol cannot carry in Python itself.
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
    write_frame(json.dumps(report).encode())
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
            write_frame(dump(load(data, codec), codec, rng.choice([2, 4, 5])))
        except Exception as error:
            write_frame(b'!' + f'{type(error).__name__}: {error}'.encode('utf-8', 'replace'))


if __name__ == '__main__':
    sys.setrecursionlimit(10_000)
    if sys.argv[1] == 'offer':
        offer(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        echo(sys.argv[2], int(sys.argv[3]))
