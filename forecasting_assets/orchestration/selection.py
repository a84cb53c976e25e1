"""The assets of a selection, in Dagster's syntax or as a comma-separated list."""

import re
import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import dagster as dg

from forecasting_assets.errors import PicklableError
from forecasting_assets.graph import Pipeline

#: A name within a clause, without its traversal signs (+, *) and its attribute (key:, group:).
_NAME = re.compile(r'(?:\b(?P<attribute>key|group|kind|owner|tag):)?"?(?P<name>[A-Za-z_][\w/]*)"?')
_KEYWORDS = {"and", "or", "not", "roots", "sinks"}


class SelectionError(PicklableError, ValueError):
    """An asset or check that cannot be selected.

    Attributes
    ----------
    selection
        The selection as written.
    matches
        Names that may have been meant.
    """

    def __init__(self, message: str, selection: str, matches: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.selection = selection
        self.matches = tuple(matches)


def select_assets(defs: dg.Definitions, selection: str) -> list[dg.AssetKey]:
    """Return the assets of a selection, sorted.

    Parameters
    ----------
    defs
        The code location.
    selection
        Clauses in Dagster's selection syntax, separated by commas, as `raw_orders,clean_orders` or
        `+key:feature_table`.

    Raises
    ------
    SelectionError
        If a clause cannot be read or selects no asset.
    """
    graph = defs.resolve_asset_graph()
    selected: set[dg.AssetKey] = set()
    for clause in (part.strip() for part in selection.split(",")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", dg.BetaWarning)
                keys = dg.AssetSelection.from_string(clause).resolve(graph)
        except dg.DagsterInvalidSubsetError:
            keys = set()  # it names an asset that does not exist
        except Exception as error:
            raise SelectionError(f"--select {clause!r} cannot be read: {error}", clause) from None
        if not keys:
            raise _nothing_selected(
                clause, sorted(key.to_user_string() for key in graph.get_all_asset_keys())
            )
        for key in keys:
            node = graph.get(key)
            # A table that an asset writes beside its own is selected by selecting the asset.
            selected |= {key} if node.is_materializable or not node.parent_keys else node.parent_keys
    return sorted(selected)


def require_checks(pipeline: Pipeline, names: Iterable[str]) -> None:
    """Refuse names of checks (`asset/check`) that do not exist.

    Raises
    ------
    SelectionError
        If one of `names` is not a check of the graph.
    """
    known = sorted(f"{asset.name}/{check.name}" for asset in pipeline.values() for check in asset.checks)
    for name in names:
        if name not in known:
            matches = get_close_matches(name, known, n=3, cutoff=0.5)
            raise SelectionError(
                f"--override {name!r}: there is no such check. {_suggestion(matches, known)}", name, matches
            )


def _nothing_selected(clause: str, assets: Sequence[str]) -> SelectionError:
    names = [found["name"] for found in _NAME.finditer(clause) if found["attribute"] in (None, "key")]
    unknown = [name for name in names if name not in assets and name not in _KEYWORDS]
    matches = [match for name in unknown for match in get_close_matches(name, assets, n=3)]
    return SelectionError(
        f"--select {clause!r} selects no asset. {_suggestion(matches, assets)}", clause, matches
    )


def _suggestion(matches: Sequence[str], known: Sequence[str]) -> str:
    return f"Did you mean {' or '.join(matches)}?" if matches else f"There are: {', '.join(known)}."
