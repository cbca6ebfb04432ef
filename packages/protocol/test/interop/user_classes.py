"""Classes of a user's program: nothing on the other side knows them."""

import collections
import dataclasses
import enum


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
        return type(other) is Slotted and self.a == other.a and self.b == other.b


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
