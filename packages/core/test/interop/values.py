"""Random nested values of every kind the codec promises, in all protocols; and the judge of what comes back."""
import base64
import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import pickle
import random
import sys
import uuid


class Colour(enum.Enum):
    RED = 1
    BLUE = 'blue'


@dataclasses.dataclass
class Point:
    x: int
    label: str


class Slotted:
    __slots__ = ('a', 'b')

    def __init__(self, a=1, b='b'):
        self.a, self.b = a, b

    def __eq__(self, other):
        return (self.a, self.b) == (other.a, other.b)

    def __getstate__(self):
        return None, {'a': self.a, 'b': self.b}

    def __reduce__(self):
        return Slotted, (self.a, self.b)


class Boom(Exception):
    pass


sys.modules['values'] = sys.modules['__main__']
for kind in (Colour, Point, Slotted, Boom):
    kind.__module__ = 'values'


def text(r):
    pools = ['abc xyz_', 'äöüßé', '日本語', '😀🎉', '\x00\n\t\\\'"']
    made = ''.join(r.choice(r.choice(pools)) for _ in range(r.choice([0, 1, 3, 12, 80, 300])))
    return made + (chr(r.randint(0xD800, 0xDBFF)) if r.random() < 0.05 else '')


def zone(r):
    return r.choice([None, datetime.timezone.utc, datetime.timezone(datetime.timedelta(minutes=r.randint(-800, 800)))])


def scalar(r):
    return r.choice([
        lambda: None,
        lambda: r.choice([True, False]),
        lambda: r.randint(-300, 70000),
        lambda: r.randint(-2**200, 2**200),
        lambda: r.choice([2**31, -2**31, 2**31 - 1, 2**32, 2**53, 2**53 - 1, -2**53, 2**63, -2**63, 2**64, 255, 256, 65536, 127, -128]),
        lambda: r.choice([0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 1e308, 5e-324, r.uniform(-1e9, 1e9)]),
        lambda: text(r),
        lambda: r.randbytes(r.choice([0, 1, 7, 255, 256, 700])),
        lambda: datetime.datetime(r.randint(1, 9999), r.randint(1, 12), r.randint(1, 28), r.randint(0, 23), 59, 1, r.randint(0, 999999), zone(r), fold=r.randint(0, 1)),
        lambda: datetime.date(r.randint(1, 9999), r.randint(1, 12), r.randint(1, 28)),
        lambda: datetime.time(r.randint(0, 23), 5, 6, r.randint(0, 999999), zone(r)),
        lambda: datetime.timedelta(r.randint(-9999, 9999), r.randint(0, 86399), r.randint(0, 999999)),
        lambda: decimal.Decimal(r.choice(['1.10', '-0', 'NaN', 'Infinity', '1E+500', str(r.random())])),
        lambda: uuid.UUID(int=r.getrandbits(128)),
        lambda: complex(r.random(), -1.0),
        lambda: r.choice(list(Colour)),
        lambda: Point(r.randint(0, 9), text(r)),
        lambda: Slotted(r.randint(0, 9), text(r)),
        lambda: range(r.randint(0, 5), 9),
        lambda: r.choice([ValueError('bad', 1), KeyError('k'), Boom('own', [1]), OSError(2, 'gone'), ZeroDivisionError()]),
    ])()


def hashable(r):
    return r.choice([lambda: text(r), lambda: r.randint(-9, 2**70), lambda: (r.randint(0, 9), text(r)), lambda: r.randbytes(3), lambda: frozenset([r.randint(0, 9)]), lambda: Colour.RED])()


def value(r, depth):
    if depth == 0 or r.random() < 0.35:
        return scalar(r)
    size = r.choice([0, 1, 2, 3, 5])
    children = lambda: [value(r, depth - 1) for _ in range(size)]
    made = r.choice([
        children,
        lambda: tuple(children()),
        lambda: {text(r): child for child in children()},
        lambda: {hashable(r): child for child in children()},
        lambda: {hashable(r) for _ in range(size)},
        lambda: frozenset(hashable(r) for _ in range(size)),
        lambda: bytearray(r.randbytes(size)),
        lambda: collections.OrderedDict((text(r), child) for child in children()),
        lambda: collections.deque(children(), maxlen=r.choice([None, 10])),
        lambda: collections.Counter([text(r) for _ in range(size)]),
        lambda: collections.defaultdict(list, {text(r): [1]}),
    ])()
    if isinstance(made, list) and made and r.random() < 0.2:
        made.append(made[0])
    return made


def same(a, b):
    """Equality that knows NaN, exceptions, and does not take 1.0 for 1 unless the fraction is nothing."""
    if isinstance(a, float) and isinstance(b, (int, float)):
        return (math.isnan(a) and math.isnan(b)) or a == b
    if isinstance(a, decimal.Decimal):
        return str(a) == str(b)
    if isinstance(a, BaseException):
        return type(a) is type(b) and same(list(a.args), list(b.args)) and a.__dict__ == b.__dict__
    if isinstance(a, bytearray):
        return a == b
    if isinstance(a, (collections.OrderedDict,)):
        return isinstance(b, dict) and same(dict(a), dict(b))
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(v, b.get(k, same)) for k, v in a.items())
    if isinstance(a, (list, tuple, collections.deque)):
        return len(a) == len(b) and all(map(same, a, b)) and getattr(a, 'maxlen', None) == getattr(b, 'maxlen', None)
    if isinstance(a, Point):
        return same([a.x, a.label], [b.x, b.label])
    if isinstance(a, (datetime.datetime, datetime.time)):
        return a == b and a.tzinfo == b.tzinfo and a.fold == b.fold
    return a == b


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    made = {}
    for protocol in range(6):
        r = random.Random(seed + protocol)
        for i in range(count):
            raw = pickle.dumps(value(r, 4), protocol)
            # What Python itself would read: protocols below 4 drop the fold of a datetime.
            made[f'{protocol}.{i}'] = pickle.loads(raw)
            print(json.dumps([f'{protocol}.{i}', base64.b64encode(raw).decode()]))
    cycle = [1]
    cycle.append(cycle)
    print(json.dumps(['cycle', base64.b64encode(pickle.dumps(cycle)).decode()]))
    print('"made"', flush=True)
    checked = 0
    for line in sys.stdin:
        request = json.loads(line)
        if request == 'done':
            break
        name, data = request
        raw = base64.b64decode(data)
        if name == 'again':
            # The other way round: read what TypeScript wrote, and write it anew.
            print(json.dumps(['again', base64.b64encode(pickle.dumps(pickle.loads(raw), 4)).decode()]), flush=True)
            continue
        try:
            back = pickle.loads(raw)
            equal = back[1] is back if name == 'cycle' else same(made[name], back)
        except Exception as error:
            back, equal = error, False
        checked += 1
        if not equal:
            print(json.dumps(['differs', name, repr(made.get(name))[:600], repr(back)[:600]]), flush=True)
    print(json.dumps(['checked', checked]), flush=True)


main()
