"""Charts: their size, their content and what they show without data."""

import io
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from forecasting_assets.reporting import charts, png
from forecasting_assets.reporting.formats import MISSING
from forecasting_assets.reporting.measures import ReportInputError
from forecasting_assets.reporting.style import COLOURS, dark, described
from forecasting_assets.tables import QUANTILES
from forecasting_assets_tests.unit.reporting import factories

pytestmark = pytest.mark.filterwarnings("error")

LONG = "a very long name with $money$ and _{{signs}}^ 部品 " + "x" * 80 + " {:03d}"


def with_gaps(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return `table` without every third value of `columns`."""
    table = table.copy()
    table.loc[table.index[::3], list(columns)] = np.nan
    return table


def texts(figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


CASES = {
    "demand": lambda: charts.demand_and_forecast(factories.history(), factories.forecast()),
    "demand of one series": lambda: charts.demand_and_forecast(factories.history(1), factories.forecast(1)),
    "demand of one week": lambda: charts.demand_and_forecast(
        factories.history(3, 1), factories.forecast(3, 1)
    ),
    "demand of 200 series": lambda: charts.demand_and_forecast(
        factories.history(200, part=LONG), factories.forecast(200, part=LONG)
    ),
    "demand without forecast": lambda: charts.demand_and_forecast(factories.history(), factories.forecast(0)),
    "forecast without demand": lambda: charts.demand_and_forecast(factories.history(0), factories.forecast()),
    "importance": lambda: charts.feature_importance(factories.importance()),
    "importance of one": lambda: charts.feature_importance(pd.DataFrame({"feature": [LONG], "gain": [3.0]})),
    "horizon": lambda: charts.error_by_horizon(factories.backtest()),
    "one horizon": lambda: charts.error_by_horizon(factories.backtest(1)),
    "26 horizons": lambda: charts.error_by_horizon(factories.backtest(26)),
    "segment": lambda: charts.error_by_segment(factories.backtest()),
    "accuracy over time": lambda: charts.accuracy_over_time(factories.forecast_errors()),
    "accuracy of one origin": lambda: charts.accuracy_over_time(factories.forecast_errors(1, 1)),
    "load": lambda: charts.load_by_manufacturer(factories.load()),
    "load of one": lambda: charts.load_by_manufacturer(factories.load(1, 1)),
    "load of 50": lambda: charts.load_by_manufacturer(factories.load(50, 26, LONG)),
    "cost": lambda: charts.cost_by_policy(factories.impact()),
    "cost of one week": lambda: charts.cost_by_policy(factories.impact(1)),
    "impact by week": lambda: charts.impact_by_week(factories.impact(26)),
    "impact of one week": lambda: charts.impact_by_week(factories.impact(1)),
    "sensitivity": lambda: charts.sensitivity(factories.impact()),
    "forecast with gaps": lambda: charts.demand_and_forecast(
        factories.history(2, 12), with_gaps(factories.forecast(2), "mean", "q95")
    ),
    "horizon with gaps": lambda: charts.error_by_horizon(with_gaps(factories.backtest(), "value")),
    "segment with gaps": lambda: charts.error_by_segment(with_gaps(factories.backtest(), "value")),
    "load with gaps": lambda: charts.load_by_manufacturer(with_gaps(factories.load(), "load_hours")),
    "sensitivity with gaps": lambda: charts.sensitivity(
        factories.impact().query("metric != 'on_time_rate' and metric != 'utilisation'")
    ),
    "cost with gaps": lambda: charts.cost_by_policy(
        factories.impact().query("metric != 'on_time_rate' and metric != 'utilisation'")
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_pictures_are_small_and_1000_pixels_wide(case: str) -> None:
    image = png(CASES[case]())
    width, height = Image.open(io.BytesIO(image)).size
    assert width == 1000
    assert 250 <= height <= 600
    assert len(image) < 120_000


NARROW = {
    "accuracy over time": lambda: charts.accuracy_over_time(factories.forecast_errors(), narrow=True),
    "load": lambda: charts.load_by_manufacturer(factories.load(50, 26, LONG), narrow=True),
    "horizon": lambda: charts.error_by_horizon(factories.backtest(), narrow=True),
    "segment": lambda: charts.error_by_segment(factories.backtest(), narrow=True),
    "cost": lambda: charts.cost_by_policy(factories.impact(), narrow=True),
    "impact by week": lambda: charts.impact_by_week(factories.impact(26), narrow=True),
    "sensitivity": lambda: charts.sensitivity(factories.impact(), narrow=True),
}


@pytest.mark.parametrize("case", NARROW)
def test_pictures_for_a_telephone_have_their_panels_one_below_the_other(case: str) -> None:
    figure = NARROW[case]()
    width, height = Image.open(io.BytesIO(png(figure))).size
    assert width == 460
    assert height >= 400
    boxes = [ax.get_position() for ax in figure.axes]
    assert len(boxes) > 1 or case == "segment"  # whose bars are all in one panel
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))


def test_dark_pictures_reverse_lightness_and_keep_hues() -> None:
    light = png(CASES["load"]())
    before, after = (Image.open(io.BytesIO(image)).convert("RGB") for image in (light, dark(light)))
    assert after.size == before.size
    assert (before.getpixel((2, 2)), after.getpixel((2, 2))) == ((255, 255, 255), (37, 37, 37))
    pixels = [np.asarray(image, dtype=float).reshape(-1, 3) for image in (before, after)]
    lightness = [(p.max(axis=1) + p.min(axis=1)) / 2 for p in pixels]
    order = np.argsort(lightness[0])
    assert (np.diff(lightness[1][order]) <= 1).all()  # colours are rounded to whole numbers
    blue = (pixels[0] == (86, 180, 233)).all(axis=1)
    assert blue.any()
    red, green, blue_now = pixels[1][blue][0]
    assert red < green < blue_now


EMPTY = {
    "accuracy over time": lambda: charts.accuracy_over_time(factories.forecast_errors().iloc[:0]),
    "demand": lambda: charts.demand_and_forecast(factories.history(0), factories.forecast(0)),
    "importance": lambda: charts.feature_importance(factories.importance(0)),
    "importance unknown": lambda: charts.feature_importance(
        pd.DataFrame({"feature": ["a"], "gain": [np.nan]})
    ),
    "horizon": lambda: charts.error_by_horizon(factories.backtest().iloc[:0]),
    "horizon, all missing": lambda: charts.error_by_horizon(factories.backtest().assign(value=np.nan)),
    "segment": lambda: charts.error_by_segment(factories.backtest().iloc[:0]),
    "segment, all missing": lambda: charts.error_by_segment(factories.backtest().assign(value=np.nan)),
    "load": lambda: charts.load_by_manufacturer(factories.load().iloc[:0]),
    "cost": lambda: charts.cost_by_policy(factories.impact().iloc[:0]),
    "sensitivity": lambda: charts.sensitivity(factories.impact().iloc[:0]),
    "sensitivity without biased plans": lambda: charts.sensitivity(factories.impact(biases=())),
}


@pytest.mark.parametrize("case", EMPTY)
def test_charts_of_empty_tables_say_that_and_why_there_are_no_data(case: str) -> None:
    figure = EMPTY[case]()
    assert "No data for this week yet" in texts(figure)
    assert max(map(len, texts(figure))) > 40
    assert png(figure)


def test_missing_column_is_named() -> None:
    with pytest.raises(ReportInputError) as raised:
        charts.load_by_manufacturer(factories.load().drop(columns="load_hours"))
    assert (raised.value.table, raised.value.columns) == ("capacity_load", ("load_hours",))


def test_same_picture_for_any_row_order() -> None:
    load, demand, forecast = factories.load(20), factories.history(2, 9), factories.forecast(2)
    shuffled = charts.load_by_manufacturer(load.sample(frac=1, random_state=1))
    assert png(shuffled) == png(charts.load_by_manufacturer(load))
    shuffled = charts.demand_and_forecast(*(t.sample(frac=1, random_state=1) for t in (demand, forecast)))
    assert png(shuffled) == png(charts.demand_and_forecast(demand, forecast))


def test_the_total_shows_only_the_mean_and_series_show_intervals() -> None:
    history, forecast = factories.history(), factories.forecast()
    total, *series = charts.demand_and_forecast(history, forecast).axes
    assert not total.patches
    assert len(series) == 4
    actual, mean = total.lines
    assert to_hex(actual.get_color()) == COLOURS["actual"]
    assert to_hex(mean.get_color()) == COLOURS["combined"].lower()
    assert np.asarray(actual.get_ydata()).tolist() == list(
        history.groupby("week")["quantity"].sum().iloc[-52:]
    )
    np.testing.assert_allclose(np.asarray(mean.get_ydata()), forecast.groupby("horizon")["mean"].sum())
    one = forecast[forecast["part_id"] == "part-000"]
    bands = [(p.get_y(), p.get_y() + p.get_height()) for p in series[0].patches if isinstance(p, Rectangle)]
    np.testing.assert_allclose(bands[:8], one[["q05", "q95"]])
    np.testing.assert_allclose(bands[8:], one[["q10", "q90"]])


def test_a_week_missing_from_history_is_a_gap_and_a_series_without_orders_is_zero() -> None:
    history = factories.history(2, 10)
    weeks = sorted(history["week"].unique())
    history = history[(history["week"] != weeks[4])]
    history = history[(history["week"] != weeks[6]) | (history["part_id"] != "part-000")]
    figure = charts.demand_and_forecast(history, factories.forecast(2))
    axes = next(a for a in figure.axes if "part-000" in a.get_title(loc="left"))
    first = np.asarray(axes.lines[0].get_ydata())
    assert np.isnan(first[4])
    assert first[6] == 0


def test_bars_that_squash_all_others_are_cut_and_labelled() -> None:
    report = factories.backtest()
    outlier = (
        (report["model"] == "seasonal_naive") & (report["segment"] == "lumpy") & (report["horizon"] == 0)
    )
    report.loc[outlier & (report["metric"] == "wape"), "value"] = 10.01
    figure = charts.error_by_segment(report)
    ax = figure.axes[0]
    assert ax.get_ylim()[1] < 2
    assert "1,001 ↑" in texts(figure)
    assert "cut at" in described(figure)
    assert "cut at" not in described(charts.error_by_segment(factories.backtest()))


def test_bias_and_tracking_signal_are_those_of_the_total_one_week_ahead() -> None:
    errors = factories.forecast_errors()
    _, bias, signal = charts.accuracy_over_time(errors).axes
    bars = [bar.get_height() for bar in bias.patches if isinstance(bar, Rectangle)]
    assert bars == pytest.approx([-0.04] * 12)
    assert np.asarray(signal.lines[0].get_ydata()) == pytest.approx(np.arange(-1.0, -13, -1))


def test_calibration_shows_shares_below_and_at_or_below_each_quantile() -> None:
    below = {f"below_{q}": level - 0.04 for q, level in QUANTILES.items()}
    at_most = {f"at_most_{q}": level + 0.02 for q, level in QUANTILES.items()}
    rows = [(factories.ORIGIN, "combined", "all", 0, name, v) for name, v in (below | at_most).items()]
    report = pd.concat([factories.backtest(), pd.DataFrame(rows, columns=factories.backtest().columns)])
    bars = [bar for bar in charts.calibration(report).axes[0].patches if isinstance(bar, Rectangle)]
    levels = list(QUANTILES.values())
    assert [bar.get_y() for bar in bars] == pytest.approx([level - 0.04 for level in levels])
    assert [bar.get_height() for bar in bars] == pytest.approx([0.06] * len(levels))
    assert "No data for this week yet" in texts(charts.calibration(factories.backtest()))


def test_bars_by_segment_are_the_errors_of_the_report() -> None:
    report = factories.backtest()
    axes = charts.error_by_segment(report).axes[0]
    wape = report[(report["metric"] == "wape") & (report["horizon"] == 0)].set_index(["model", "segment"])[
        "value"
    ]
    segments = [t.get_text().split("\n")[0].lower() for t in axes.get_xticklabels()]
    assert segments == ["all", "smooth", "erratic", "intermittent", "lumpy", "new"]
    models = ["combined", "sarimax", "xgb", "seasonal_naive"]
    for model, bars in zip(models, axes.containers, strict=True):
        assert [b.get_height() for b in bars] == [wape[model, s] for s in segments]
        assert {to_hex(b.get_facecolor()) for b in bars} == {COLOURS[model].lower()}


def test_lines_by_horizon_have_the_colours_of_their_models() -> None:
    wape = charts.error_by_horizon(factories.backtest()).axes[0]
    assert [line.get_label() for line in wape.lines] == ["Combined", "SARIMAX", "XGBoost", "Seasonal naive"]
    assert [line.get_color() for line in wape.lines] == [
        COLOURS[m] for m in ("combined", "sarimax", "xgb", "seasonal_naive")
    ]
    assert [np.asarray(line.get_xdata()).tolist() for line in wape.lines] == [list(range(1, 9))] * 4


def test_manufacturers_that_do_not_fit_are_combined() -> None:
    load = factories.load(50, 2)
    totals, heat_map = charts.load_by_manufacturer(load).axes
    names = [t.get_text() for t in heat_map.get_yticklabels()]
    assert len(names) == 15
    assert names[-1] == "36 others"
    by_manufacturer = load.groupby("manufacturer_id")[["load_hours", "capacity_hours"]].sum()
    others = load[~load["manufacturer_id"].isin(by_manufacturer["load_hours"].nlargest(14).index)]
    weeks = others.groupby("production_week")[["load_hours", "capacity_hours"]].sum()
    shown = [t.get_text() for t in heat_map.texts[-2:]]
    assert shown == [f"{v:.0f}" for v in 100 * weeks["load_hours"] / weeks["capacity_hours"]]
    drawn = sum(bar.get_height() for bar in totals.patches if isinstance(bar, Rectangle))
    assert drawn == pytest.approx(load["load_hours"].sum())


def test_manufacturers_whose_short_names_are_equal_stay_apart() -> None:
    load = factories.load(3, 2, "the same beginning of the name {:03d} and the same end of the name")
    heat_map = charts.load_by_manufacturer(load).axes[1]
    assert len(heat_map.get_yticklabels()) == 3


def test_overtime_is_orange_and_weeks_without_capacity_have_a_dash() -> None:
    load = factories.load(2, 2).assign(
        capacity_hours=[100.0, 100.0, 100.0, 0.0],
        load_hours=[110.0, 90.0, 50.0, 0.0],
        overtime_hours=[10.0, 0, 0, 0],
    )
    heat_map = charts.load_by_manufacturer(load).axes[1]
    pixels = np.asarray(heat_map.images[0].get_array())
    assert to_hex(pixels[0, 0]) == COLOURS["overtime"].lower()
    assert to_hex(pixels[0, 1]) != COLOURS["overtime"].lower()
    assert [t.get_text() for t in heat_map.texts] == ["110", "90", "50", "\u2013"]


def test_weeks_after_the_last_due_week_show_no_free_capacity() -> None:
    load = factories.load(3, 4)
    beyond = load["production_week"] == load["production_week"].max()
    load = load.assign(beyond_horizon=beyond.astype(int), load_hours=load["load_hours"].where(~beyond, 0.0))
    left, right = charts.load_by_manufacturer(load).axes
    assert [t.get_text() for t in right.texts].count(MISSING) == 3
    (capacity,) = [c for c in left.collections if c.get_label() == "Regular capacity"]
    assert isinstance(capacity, LineCollection)
    assert len(capacity.get_segments()) == 3


def test_cost_parts_add_up_to_the_cost_of_each_policy() -> None:
    impact = factories.impact()
    cost, on_time, utilisation = charts.cost_by_policy(impact).axes
    ends = [sum(bars[i].get_width() for bars in cost.containers) for i in range(3)]
    totals = impact[impact["metric"] == "cost"].groupby("policy")["value"].sum()
    np.testing.assert_allclose(ends, totals[["plan", "status_quo", "perfect_foresight"]])
    assert "97.2 %" in [t.get_text() for t in on_time.texts]
    assert "83.0 %" in [t.get_text() for t in utilisation.texts]


def test_sensitivity_is_sorted_by_bias() -> None:
    cost = charts.sensitivity(factories.impact()).axes[0]
    np.testing.assert_allclose(np.asarray(cost.lines[0].get_xdata()), [-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3])
    assert [t.get_text() for t in cost.get_xticklabels()][3:5] == ["0", "+10"]
    assert cost.lines[1].get_color() == COLOURS["status_quo"]


def test_dollar_signs_in_names_do_not_start_formulas() -> None:
    figure = charts.feature_importance(pd.DataFrame({"feature": ["$x^2$", "$"], "gain": [2.0, 1.0]}))
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [r"\$", r"\$x^2\$"]
    assert png(figure)


def test_alternative_text() -> None:
    text = described(charts.load_by_manufacturer(factories.load()))
    assert text.startswith("Load against capacity. ")
    assert "Orange: overtime" in text
    assert text.count("Orange") == 1
    empty = described(charts.cost_by_policy(factories.impact().iloc[:0]))
    assert "No data for this week yet" in empty


def test_things_that_are_compared_have_different_colours() -> None:
    for group in (
        ("actual", "sarimax", "xgb", "combined", "seasonal_naive"),
        ("plan", "status_quo", "perfect_foresight"),
        ("regular", "overtime", "lane", "holding", "lateness", "activation", "shortage", "other"),
    ):
        assert len({COLOURS[name] for name in group}) == len(group)


def test_import_is_light_and_drawing_leaves_pyplot_alone() -> None:
    code = (
        "import sys; from forecasting_assets.reporting import charts, png;"
        "assert not {'matplotlib', 'jinja2'} & set(sys.modules);"
        "import pandas as pd; table = pd.DataFrame({'feature': ['a'], 'gain': [1.0]});"
        "png(charts.feature_importance(table));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
