"""The graph as data: for each asset its table, what it is made from, and how its weeks are checked.

Every asset holds one week a partition. Week W is made from weeks of other assets, given as offsets from W, from landed
files and from settings. Pictures and pages of a week may show further weeks, which do not change its table.

Freshness, the sensor, the command line and the Dagster definitions all read this module; it knows nothing of Dagster
and computes nothing.
"""

from forecasting_assets.allocation import FORESEEN_WEEKS, REPLAYED_WEEKS
from forecasting_assets.features.build import feature_columns
from forecasting_assets.features.window import LOOKBACK_WEEKS
from forecasting_assets.forecasting.registry import Sarimax, find_models
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.graph import (
    NETWORK_FILES,
    ORDER_FILES,
    Check,
    Pipeline,
    PlanningInput,
    Upstream,
    WeeklyAsset,
)
from forecasting_assets.settings import Settings
from forecasting_assets.tables import (
    ALLOCATION_PLAN,
    BACKTEST_REPORT,
    BUSINESS_IMPACT,
    CAPABILITIES,
    CAPACITY_LOAD,
    CAPACITY_OVERRIDES_KNOWN,
    CLEAN_ORDERS,
    CLEANED_POINTS,
    DEMAND_FORECAST,
    DEMAND_PLAN,
    ERROR_CORRELATIONS,
    FORECAST_ERRORS,
    KNOWN_COVARIATES,
    LANES,
    MANUFACTURER_NETWORK,
    MARKET_FORECAST,
    ORDER_BOOK,
    ORDER_FILE_SUMMARY,
    OVERRIDE_USE,
    PART_ERRORS,
    PLAN_CHOICE,
    PLAN_COST,
    PLAN_FLOWS,
    PLAN_PROOF,
    PLAN_REASONS,
    PLAN_RULES,
    PLAN_SHORTAGES,
    RAW_ORDERS,
    REJECTED_ORDERS,
    REPLAY_STATE,
    SUPPLY_LEDGER,
    SUPPLY_POSITION,
    WEEKLY_DEMAND,
    model_table,
)

#: Weeks of orders that the seasonal naive forecast uses: the year before every target week is among them.
NAIVE_LOOKBACK_WEEKS = 60
#: Weeks that a count of stock is carried forward where no plan was made in the meantime.
COUNT_WEEKS = 8
#: Weeks of orders that give the value of a unit where past weeks are replayed.
VALUED_WEEKS = 26
#: Settings that change what a model forecasts. Which models there are does not.
MODEL_FIELDS = set(ForecastingSettings.model_fields) - {"models"}
MODEL_SETTINGS = ("calendar", *sorted(f"forecasting.{field}" for field in MODEL_FIELDS))
#: Overrides of coming weeks, and those that are judged once the weeks that they are about have closed.
OVERRIDES = PlanningInput("forecast_overrides")
PAST_OVERRIDES = PlanningInput("forecast_overrides", past=True)
#: Counts that the supply position of a week is made from.
COUNTS = tuple(PlanningInput(kind, weeks=COUNT_WEEKS + 1) for kind in ("stock", "work_in_progress"))
#: What planners say about past demand, and about parts that replace others.
NOTES = CORRECTIONS, SUCCESSIONS = PlanningInput("demand_corrections"), PlanningInput("successors")
#: Production that planners have fixed, and units that are held for customers.
LOCKS = PlanningInput("locked_allocations")
HELD = PlanningInput("promises")


def build_pipeline(settings: Settings) -> Pipeline:
    """Return all assets; how many weeks some of them read depends on the settings."""
    assets = [
        *_order_assets(settings),
        *_model_assets(settings),
        *_forecast_assets(settings),
        *_planning_assets(settings),
    ]
    return {asset.name: asset for asset in assets}


def _order_assets(settings: Settings) -> list[WeeklyAsset]:
    # The book of a week follows from that of the week before, so it may change with orders of any earlier week.
    calendar = settings.calendar
    book_before = Upstream("order_book", -1, -1, optional=True, only_with="due_date")
    return [
        WeeklyAsset(
            RAW_ORDERS,
            "orders",
            files=ORDER_FILES,
            settings=("orders.columns", "orders.format"),
            checks=(
                Check("files_readable", "Every file of the landing zone can be read.", blocking=False),
                Check(
                    "files_recognised",
                    "Every file of the landing zone has a known format of order files.",
                    blocking=False,
                ),
                Check(
                    "inside_calendar",
                    "All orders lie between the first week of history and the current week.",
                    blocking=False,
                ),
            ),
        ),
        WeeklyAsset(
            CLEAN_ORDERS,
            "orders",
            (Upstream("raw_orders"),),
            settings=("orders.columns", "orders.format", "orders.fold_case"),
            also_writes=(REJECTED_ORDERS, ORDER_FILE_SUMMARY),
            checks=(
                Check("conservation", "Raw rows = clean rows + rejected rows."),
                Check("unique_orders", "No order line counts twice in the week."),
                Check("lines_in_one_week", "No order line is in another week as well.", blocking=False),
                Check("no_future_data", "Every order is dated within the week."),
                Check("contract", "Parts, regions, quantities and prices are present and positive."),
                Check("due_after_ordered", "No order is wanted before it was ordered.", blocking=False),
                Check("few_rejections", "Few rows and units of each file are rejected.", blocking=False),
                Check(
                    "line_numbers_unique",
                    "No order line is replaced by one for another part or region.",
                    blocking=False,
                ),
            ),
        ),
        WeeklyAsset(
            ORDER_BOOK,
            "orders",
            (Upstream("clean_orders"), book_before),
            checks=(
                Check("contract", "Each part, region and week has one row, with a positive quantity."),
                Check("not_due_yet", "All units are due in later weeks."),
            ),
            versioned_by_rows=True,
        ),
        WeeklyAsset(
            WEEKLY_DEMAND,
            "orders",
            (Upstream("clean_orders"), book_before),
            checks=(
                Check("contract", "Each part and region has one row, with a positive quantity."),
                Check("usual_volume", "Units are in line with past weeks.", blocking=False),
                Check(
                    "names_consistent",
                    "No names differ only by case, white space or zeros before a number.",
                    blocking=False,
                ),
            ),
        ),
        WeeklyAsset(
            feature_columns(calendar.horizon_weeks),
            "features",
            (Upstream("weekly_demand", first=1 - LOOKBACK_WEEKS),),
            settings=("calendar",),
            checks=(
                Check("contract", "Each active series has one row; every feature is present and finite."),
            ),
        ),
        WeeklyAsset(
            KNOWN_COVARIATES,
            "features",
            (Upstream("feature_table"),),
            planning=(
                PlanningInput("known_covariates", ahead=calendar.horizon_weeks, since=calendar.first_week),
            ),
            settings=("calendar.first_week", "calendar.horizon_weeks", "orders.fold_case"),
            checks=(
                Check("contract", "Each covariate has one value for a part, region and week, known in time."),
                Check("names_known", "Every part and region is that of an active series.", blocking=False),
                Check("plan_complete", "What is known of the week is known of those ahead.", blocking=False),
            ),
            versioned_by_rows=True,
        ),
    ]


_FORECAST_CONTRACT = Check(
    "forecast_contract",
    "Every active series has all horizons; values are finite and not negative, and quantiles do not cross.",
)


def _model_assets(settings: Settings) -> list[WeeklyAsset]:
    # A model is fitted up to `refit_weeks - 1` weeks before the week that it forecasts.
    before_refit = settings.forecasting.refit_weeks - 1
    history = Upstream("weekly_demand", first=1 - settings.forecasting.history_weeks - before_refit)
    book = Upstream("order_book", first=history.first)
    # A week may become known as long before it as forecasts are made.
    covariates = Upstream("known_covariates", first=history.first - settings.calendar.horizon_weeks)
    training = Upstream("feature_table", first=-settings.forecasting.xgb_train_weeks - before_refit)
    return [
        WeeklyAsset(
            model_table(model.name),
            "forecasts",
            (training if model.reads_features else Upstream("feature_table"), history, book, covariates),
            planning=NOTES,
            settings=MODEL_SETTINGS,
            also_writes=(CLEANED_POINTS, MARKET_FORECAST) if model.name == Sarimax.name else (),
            checks=(_FORECAST_CONTRACT,),
        )
        for model in find_models(settings.forecasting.models)
    ]


def _forecast_assets(settings: Settings) -> list[WeeklyAsset]:
    # Weights and the errors they are judged by come from `backtest_weeks` origins each.
    origins = -2 * settings.forecasting.backtest_weeks
    models = [model_table(model.name).name for model in find_models(settings.forecasting.models)]
    return [
        WeeklyAsset(
            BACKTEST_REPORT,
            "forecasts",
            (
                *(Upstream(model, first=origins, optional=True) for model in models),
                Upstream("feature_table", first=origins, optional=True),
                Upstream("order_book", first=origins, optional=True),
                Upstream(
                    "weekly_demand", first=1 + origins - settings.forecasting.history_weeks, optional=True
                ),
            ),
            planning=(PAST_OVERRIDES,),
            settings=(*MODEL_SETTINGS, "forecasting.models", "orders.fold_case"),
            also_writes=(ERROR_CORRELATIONS, FORECAST_ERRORS, PART_ERRORS),
            checks=(
                Check("contract", "Every metric has one value for each model, segment and horizon."),
                Check(
                    "beats_seasonal_naive",
                    "The combined forecast is better than repeating last year.",
                    blocking=False,
                ),
                Check(
                    "intervals_calibrated",
                    "About 80 % of weeks have orders within the 80 % intervals of the combined forecast.",
                    blocking=False,
                ),
                Check(
                    "unbiased",
                    "No forecasts of the total, a category or a region are off to one side by more than chance.",
                    blocking=False,
                ),
            ),
        ),
        WeeklyAsset(
            DEMAND_FORECAST,
            "forecasts",
            (
                Upstream("backtest_report"),
                *(Upstream(model) for model in models),
                Upstream("feature_table"),
                Upstream("order_book"),
            ),
            settings=("forecasting.models",),
            checks=(_FORECAST_CONTRACT,),
        ),
    ]


def _planning_assets(settings: Settings) -> list[WeeklyAsset]:
    # Past weeks are replayed to choose what to plan for.
    replays = settings.allocation.uncertainty == "auto"
    planned_before = -REPLAYED_WEEKS if replays else -1
    orders_since = min(-COUNT_WEEKS, 1 - VALUED_WEEKS) if replays else -COUNT_WEEKS
    demand = (
        Upstream("demand_plan", first=-REPLAYED_WEEKS, optional=True) if replays else Upstream("demand_plan")
    )
    return [
        WeeklyAsset(
            MANUFACTURER_NETWORK,
            "planning",
            files=NETWORK_FILES,
            settings=("orders.fold_case",),
            also_writes=(CAPABILITIES, LANES, CAPACITY_OVERRIDES_KNOWN),
            checks=(
                Check("contract", "Each manufacturer has one row without missing values."),
                Check(
                    "manufacturers_used",
                    "Every manufacturer makes some part category, and a lane leaves its region.",
                    blocking=False,
                ),
            ),
        ),
        WeeklyAsset(
            DEMAND_PLAN,
            "planning",
            (Upstream("order_book"), Upstream("demand_forecast"), Upstream("feature_table")),
            planning=(OVERRIDES, HELD),
            settings=("calendar.horizon_weeks", "orders.fold_case"),
            also_writes=(OVERRIDE_USE,),
            checks=(
                Check("contract", "Each part, region and due week has one row; bookings are planned for."),
                Check("overrides_used", "Every forecast override can change the forecast.", blocking=False),
                Check(
                    "notes_known",
                    "Demand corrections and successors name known series and leave them orders that count.",
                    blocking=False,
                ),
                Check("planning_files_recognised", "Every planning file is of a known kind.", blocking=False),
            ),
        ),
        WeeklyAsset(
            ALLOCATION_PLAN,
            "planning",
            (
                demand,
                Upstream("manufacturer_network"),
                # How the errors of the forecast depend on each other.
                Upstream("backtest_report"),
                # What the plan before started (from its own network), and the supply position that it started from.
                Upstream("allocation_plan", planned_before, -1, optional=True, published=True),
                # Orders since the newest count, where there is no plan before.
                Upstream("weekly_demand", first=orders_since, optional=True),
            ),
            planning=(*COUNTS, LOCKS, HELD),
            settings=("allocation", "orders.fold_case"),
            also_writes=(
                SUPPLY_POSITION,
                SUPPLY_LEDGER,
                CAPACITY_LOAD,
                PLAN_FLOWS,
                PLAN_SHORTAGES,
                PLAN_CHOICE,
                PLAN_COST,
                PLAN_REASONS,
                PLAN_RULES,
                PLAN_PROOF,
            ),
            checks=(
                Check(
                    "supply_balanced",
                    "Stock changes by what arrives, is delivered and is counted, and by nothing else.",
                ),
                Check(
                    "counts_known",
                    "What is counted is of parts, regions and manufacturers that there are.",
                    blocking=False,
                ),
                Check(
                    "counts_match",
                    "Counts of stock and work in progress are near what was expected.",
                    blocking=False,
                ),
                Check(
                    "previous_week_planned",
                    "The plan of the week before exists, so that this plan knows what it started.",
                    blocking=False,
                ),
                Check("capacity_feasible", "No manufacturer is planned over its hours."),
                Check("demand_balanced", "Every unit of demand is planned or listed as a shortage."),
                Check(
                    "mean_planned_for",
                    "Of no part less is planned for than the mean demand that supply leaves unmet.",
                ),
                Check(
                    "solver_certified",
                    "The tables hold a feasible plan, and duality proves that none is cheaper.",
                ),
                Check(
                    "rows_published",
                    "The rows of the plan are the exact plan, rounded to whole units if so set, within all hours.",
                ),
                Check("rules_kept", "No rule of the marketplace had to be relaxed."),
                # A lock that cannot stand is a wish that cannot be met; the rest of the plan is as good as without it.
                Check(
                    "locks_kept",
                    "What planners locked and what is held for promises is in the plan.",
                    blocking=False,
                ),
                Check("few_shortages", "Shortages are below the limit.", blocking=False),
                Check(
                    "demand_servable",
                    "Some manufacturer can make and deliver everything that is in demand.",
                    blocking=False,
                ),
                Check(
                    "priced_parts_demanded",
                    "Every part with a shortage price or priority of its own is in demand.",
                    blocking=False,
                ),
            ),
        ),
        WeeklyAsset(
            BUSINESS_IMPACT,
            "planning",
            (
                Upstream("business_impact", -1, -1, optional=True),
                Upstream("allocation_plan", first=-FORESEEN_WEEKS, optional=True, published=True),
                Upstream("demand_plan", first=-FORESEEN_WEEKS, optional=True),
                Upstream("manufacturer_network", first=-FORESEEN_WEEKS, optional=True),
                Upstream("weekly_demand", first=-FORESEEN_WEEKS - NAIVE_LOOKBACK_WEEKS, optional=True),
            ),
            settings=("allocation", "calendar.horizon_weeks"),
            also_writes=(REPLAY_STATE,),
            checks=(Check("contract", "Every metric has one value for each policy."),),
        ),
    ]
