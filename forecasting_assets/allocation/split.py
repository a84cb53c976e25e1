"""From classes back to parts: every amount of a class is shared out in whole units, and all of it adds up."""

import numpy as np
import pandas as pd


def split(parts: pd.DataFrame, flows: pd.DataFrame) -> pd.DataFrame:
    """Return rows (flow, part, quantity): the share of each part in each flow (positions in `parts` and `flows`).

    parts: class, share (of the class; they add up to 1)
    flows: class, amount

    A part gets its share of the class in all, and of each flow its share in whole units, what is left over
    going to the largest remainders (Hamilton's method); only what is no whole unit of a flow or of a part is
    given as a fraction. The flows of a class are shared out one after another, each in proportion to what the
    unmet amounts of the parts, so that the amounts of every flow and of every part are exact.
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
        # A hair is added so that a whole unit which arithmetic left at 2.999… is one.
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
