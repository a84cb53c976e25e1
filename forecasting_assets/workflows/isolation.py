"""Weeks of one run kept apart: a week that fails does not stop the others."""

from collections.abc import Callable, Sequence
from datetime import date

from forecasting_assets.errors import PicklableError
from forecasting_assets.storage import StoreError

#: Stop after this many single-week failures plus the last week: the others would most likely fail as well.
_MOST_FAILURES = 3


class BlockedWeekError(PicklableError, ValueError):
    """A week that is not made.

    Attributes
    ----------
    reasons
        What it needs is missing, failed or did not pass its checks; or it would fail like the weeks that were tried.
    """

    def __init__(self, *reasons: str) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


class InputsChangedError(ValueError):
    """The inputs of weeks have changed since they were looked at: they have to be looked at again."""


def failures_by_week(weeks: Sequence[date], work: Callable[[list[date]], None]) -> dict[date, Exception]:
    """Do `work` for all `weeks` at once or, where that fails, for ever smaller parts of them.

    Parameters
    ----------
    weeks
        The weeks, sorted.
    work
        Called with some of the weeks; it may be called again for weeks for which it was called before.

    Returns
    -------
    dict
        Week -> why it failed, of the weeks that failed.
    """
    failed: dict[date, Exception] = {}
    pending = [list(weeks)] if weeks else []
    any_succeeded = False
    while pending:
        part = pending.pop()
        try:
            work(part)
            any_succeeded = True
        except (InputsChangedError, StoreError) as error:
            # Every part of the weeks would fail in the same way.
            failed |= dict.fromkeys(part, error)
        except Exception as error:
            if len(part) > 1:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
                continue
            failed[part[0]] = error
            if any_succeeded or not pending:
                continue
            if len(failed) == _MOST_FAILURES:
                # The first weeks may share a fault. If the last week is fine, it is done again in its turn, as it may
                # depend on the weeks before it.
                pending.append(pending[0][-1:])
            elif len(failed) > _MOST_FAILURES:
                untried = BlockedWeekError(
                    f"not tried, as {len(failed)} others failed, one of them with: {error}"
                )
                failed |= {week: untried for rest in pending for week in rest if week not in failed}
                break
    return failed
