"""Published optima of capacitated facility location, expressed in the network tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting_assets.allocation.network import Network
from forecasting_assets.allocation.optimal import allocate
from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.allocation.verify import check_certificate

from .cases import make_demand, make_network


def _folder() -> Path:
    """The data stand beside the repository, or beside the one a worktree belongs to."""
    places = [
        parent / "shared" / "data" / "capacitated_facility_location" for parent in Path(__file__).parents
    ]
    return next((place for place in places if place.is_dir()), places[0])


FOLDER = _folder()
OPTIMA = (
    list(pd.read_csv(FOLDER / "optima.csv").itertuples(index=False, name=None)) if FOLDER.is_dir() else []
)
POLICY = AllocationPolicy(
    max_weeks_early=0, max_weeks_late=0, lateness_penalty=0, shortage_cost=1000.0, mip_gap=1e-8
)


def facility_location(text: str) -> tuple[pd.DataFrame, Network]:
    """A site is a manufacturer in a region of its own, a customer a region, one week without transit."""
    values = np.array(text.split(), dtype=float)
    sites, customers = values[:2].astype(int)
    capacity, fixed = values[2 : 2 + 2 * sites].reshape(sites, 2).T
    rest = values[2 + 2 * sites :].reshape(customers, 1 + sites)
    demand, cost = rest[:, 0], rest[:, 1:] / rest[:, :1]
    network = make_network(
        [(f"S{i}", f"s{i}", capacity[i], 0.0, 0.0, 1.0) for i in range(sites)],
        [(f"S{i}", "any", 1.0, 0.0) for i in range(sites)],
        [(f"s{i}", f"c{j}", cost[j, i], 0) for i in range(sites) for j in range(customers)],
    )
    network.manufacturers["activation_cost"] = fixed
    return make_demand([("p", "any", f"c{j}", 0, demand[j], 100.0) for j in range(customers)]), network


@pytest.mark.skipif(not OPTIMA, reason=f"the OR-Library instances are not in {FOLDER}")
@pytest.mark.parametrize(("name", "optimum"), OPTIMA or [("", 0.0)])
def test_published_optimum(name, optimum):
    demand, network = facility_location((FOLDER / f"{name}.txt").read_text())
    result = allocate(demand, network, POLICY)
    assert result.status == "optimal"
    assert result.shortages.empty
    assert result.cost["total"] == pytest.approx(optimum, rel=1e-6)
    assert result.certificate is not None
    assert check_certificate(result.certificate).passed
