"""A property that is worked out when it is first asked for, and kept: `functools.cached_property` without its lock.

Python 3.11 takes a lock at each first look, which costs more than most of what is looked at here. Two threads that ask
at once would both do the work, and come to the same.
"""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

_T = TypeVar("_T")


class once(Generic[_T]):  # noqa: N801 - stands where `property` stands
    """Decorates a method without arguments; what it returns becomes an attribute of the instance."""

    def __init__(self, work: Callable[[Any], _T]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[object]) -> _T: ...

    def __get__(self, instance: object | None, owner: type[object]) -> Self | _T:
        """Do the work; the next look finds its result before it finds this."""
        if instance is None:
            return self
        found = instance.__dict__[self._name] = self._work(instance)
        return found
