"""The commands scenarios list, compare and adopt."""

from dataclasses import asdict

import click

from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line, print_table


@click.group()
def scenarios() -> None:
    """List, compare and adopt changed cases that were saved with what-if --save."""


@scenarios.command("list")
@json_option
def list_scenarios(as_json: bool) -> None:
    """List the saved scenarios, those of the newest week first."""
    from forecasting_assets.lake.scenarios import read_scenarios
    from forecasting_assets.reporting.formats import number, percent, signed
    from forecasting_assets.workflows.what_if import Case

    saved = read_scenarios(load_existing_settings().home)
    if as_json:
        print_json([asdict(scenario) for scenario in saved])
        return
    if not saved:
        print_line("No scenario is saved yet: save one with `forecasting-assets what-if … --save NAME`.")
        return
    rows = [
        [
            scenario.name,
            scenario.week,
            signed(scenario.changed.cost["total"] - scenario.plan.cost["total"]),
            percent(scenario.changed.on_time),
            number(scenario.changed.short),
            scenario.adopted.on if scenario.adopted else "",
            Case(scenario.capacity, scenario.demand, scenario.remove).description,
        ]
        for scenario in saved
    ]
    print_table(["scenario", "week", "cost", "on time", "units short", "adopted", "changes"], rows)


@scenarios.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME NAME …")
@json_option
def compare(names: tuple[str, ...], as_json: bool) -> None:
    """Show scenarios of one week side by side, beside the plan."""
    from forecasting_assets.lake.scenarios import read_scenario
    from forecasting_assets.reporting.scenarios import side_by_side

    chosen = [read_scenario(load_existing_settings().home, name) for name in names]
    weeks = {scenario.week for scenario in chosen}
    if len(weeks) > 1:
        of = ", ".join(f"{scenario.name} is of {scenario.week}" for scenario in chosen)
        raise click.UsageError(f"Compare scenarios of one week: {of}.")
    if as_json:
        print_json([asdict(scenario) for scenario in chosen])
        return
    rows = side_by_side(chosen[0].plan, [scenario.changed for scenario in chosen])
    print_table([f"week {chosen[0].week}", "plan", *(scenario.name for scenario in chosen)], rows)
    if len({scenario.plan_id for scenario in chosen}) > 1:
        print_line(
            f"The plan was made again between these scenarios; the column plan is the one that {names[0]} was compared "
            "with."
        )


@scenarios.command()
@click.argument("name")
@click.option("--author", required=True, help="Who adopts it.")
@click.option("--reason", required=True, help="Why, in your words.")
@json_option
def adopt(name: str, author: str, reason: str, as_json: bool) -> None:
    """Enter the changes of a scenario of the newest plan as planning and capacity files.

    Changes of demand become forecast overrides in the planning folder, changes of hours rows of capacity_overrides.csv
    in the network folder. The plan itself changes when it is made again.
    """
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.lake.scenarios import read_scenario
    from forecasting_assets.workflows.scenarios import adopt as enter

    settings = load_existing_settings()
    adoption = enter(settings, Lake(settings.lake_path), name, author, reason)
    if as_json:
        print_json({"scenario": name, **asdict(adoption)})
        return
    for file in adoption.files:
        print_line(f"Written: {file}")
    week = read_scenario(settings.home, name).week
    select = "manufacturer_network,demand_plan,allocation_plan"
    print_line(f"Next: forecasting-assets materialize --select {select} --from {week} --to {week}")
