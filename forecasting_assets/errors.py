"""What the platform's errors have in common."""

from collections.abc import Callable
from typing import Any


class PicklableError(Exception):
    """An error with attributes that survives the way from one process to another.

    Python would rebuild it from its message alone, which fails where the error is made from something else.
    """

    def __reduce__(self) -> tuple[Callable[..., Exception], tuple[Any, ...]]:
        """Copy message and attributes."""
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(cls: type[Exception], args: tuple[Any, ...], attributes: dict[str, Any]) -> Exception:
    error = cls.__new__(cls, *args)
    error.__dict__.update(attributes)
    return error
