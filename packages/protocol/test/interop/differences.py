"""The judge of what comes back."""

import collections
import datetime
import decimal
import enum
import math
import types

from user_classes import *


def why_different(a, b, seen=None, path=''):
    """None where b is what a was; else where and how they differ."""
    seen = {} if seen is None else seen
    if type(a) is float and type(b) is int and a == b:
        return None  # JavaScript has one kind of number: 2.0 goes out as 2; so does -0.0 in msgpack
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
