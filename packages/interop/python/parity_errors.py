"""Exceptions with what arq puts on the log record."""


class Declined(RuntimeError):
    @property
    def extra(self):
        return {'order': 7}


class DeclinedLater(RuntimeError):
    def extra(self):
        return {'order': 7}
