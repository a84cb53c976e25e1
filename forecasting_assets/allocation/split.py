"""From classes back to parts: every amount of a class is shared out in whole units, and all of it adds up."""

import numpy as np
import pandas as pd


def split(parts: pd.DataFrame, flows: pd.DataFrame) -> pd.DataFrame:
    """Split the flows of each class over its parts, in whole units where possible.

    In total a part gets its share of the class. Of each flow it gets its share rounded down to whole units, and the
    units left over go to the largest remainders (Hamilton's method). A fraction of a unit is assigned only where a
    flow, or the total of a part, is not a whole number. The flows of a class are split one after another, each in
    proportion to the amounts that its parts still need, so that the amounts of every flow and of every part are exact.

    Parameters
    ----------
    parts
        class, share (of the units of the class; the shares of a class add up to 1).
    flows
        class, amount (units).

    Returns
    -------
    DataFrame
        flow, part, quantity (units): a row for each part with units of a flow; flow and part are positions in
        `flows` and `parts`.
    """
    class_of = parts["class"].to_numpy()
    amounts = flows["amount"].to_numpy()
    classes = int(class_of.max(initial=-1)) + 1
    left = np.bincount(flows["class"], amounts, minlength=classes)
    unmet = parts["share"].to_numpy() * left[class_of]
    turn = flows.groupby("class").cumcount().to_numpy()
    given = [(np.empty(0, int), np.empty(0, int), np.empty(0))]
    for now in range(int(turn.max(initial=-1)) + 1):
        flow_of = np.full(classes, -1)
        flow_of[flows["class"].to_numpy()[turn == now]] = np.flatnonzero(turn == now)
        part = np.flatnonzero(flow_of[class_of] >= 0)
        k = class_of[part]
        amount = np.where(flow_of >= 0, amounts[flow_of], 0.0)
        due = unmet[part] * np.divide(amount, left, out=np.zeros(classes), where=left > 0)[k]
        # Add a tolerance: 2.999… counts as 3.
        got = np.minimum(np.floor(due + 1e-9), unmet[part])
        over = amount - np.bincount(k, got, minlength=classes)
        room = np.minimum(unmet[part] - got, 1.0)
        order = np.lexsort((got - due, k))
        before = room[order].cumsum() - room[order]
        first = np.searchsorted(k[order], k[order])
        got[order] += np.clip(over[k[order]] - (before - before[first]), 0.0, room[order])
        unmet[part] = np.maximum(unmet[part] - got, 0.0)
        left -= amount
        given.append((flow_of[k], part, got))
    flow, part, quantity = (np.concatenate(column) for column in zip(*given, strict=True))
    some = quantity > 1e-12 * amounts[flow]
    return pd.DataFrame({"flow": flow[some], "part": part[some], "quantity": quantity[some]})
