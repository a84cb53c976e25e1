"""Commands about plans: what-if, promise."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line, print_table

if TYPE_CHECKING:
    from forecasting_assets.allocation import Answer, Inquiry
    from forecasting_assets.workflows.promise import Hold


@click.command("what-if")
@click.option("--week", required=True, metavar="WEEK", help="Planned week, as the date of its Monday.")
@click.option(
    "--capacity",
    multiple=True,
    metavar="MANUFACTURER=-40%",
    help="More or fewer hours, or MANUFACTURER=320h for regular hours a week; MANUFACTURER@WEEK= changes the regular "
    "hours of one production week; repeatable.",
)
@click.option(
    "--demand",
    multiple=True,
    metavar="CATEGORY/REGION=+20%",
    help="More or less demand; PART/REGION= changes one part, CATEGORY/REGION@WEEK= one due week; * means all; "
    "repeatable.",
)
@click.option(
    "--covariate",
    multiple=True,
    metavar="PART/REGION:unit_price=-10%",
    help="Another price, promotion or other covariate of coming weeks, in percent or as a value; the scope is as in "
    "--demand; repeatable.",
)
@click.option("--remove", multiple=True, metavar="MANUFACTURER", help="Plan without it; repeatable.")
@click.option("--save", metavar="NAME", help="Save the case, to compare and adopt it with `scenarios`.")
@json_option
def what_if(
    week: str,
    capacity: tuple[str, ...],
    demand: tuple[str, ...],
    remove: tuple[str, ...],
    covariate: tuple[str, ...],
    save: str | None,
    as_json: bool,
) -> None:
    """Plan a changed case of a week and show the difference; the plan itself stays as it is.

    With --covariate the models of the week forecast the scope again, with other known covariates.
    """
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.lake.scenarios import check_name
    from forecasting_assets.weeks import parse_week
    from forecasting_assets.workflows.scenarios import save_case
    from forecasting_assets.workflows.what_if import Case, plan_case, report_case

    if not (capacity or demand or remove or covariate):
        raise click.UsageError("Nothing is changed: give --capacity, --demand, --covariate or --remove.")
    if covariate and save is not None:
        raise click.UsageError(
            "--save keeps no --covariate: enter the new values as known_covariates instead."
        )
    settings = load_existing_settings()
    if save is not None:
        check_name(settings.home, save)
    lake = Lake(settings.lake_path)
    result = plan_case(settings, lake, parse_week(week), Case(capacity, demand, remove, covariate))
    saved = save_case(settings, lake, save, result) if save is not None else None
    text, page = report_case(settings, result)
    if as_json:
        print_json({"week": week, "summary": text, "report": page, "scenario": saved})
        return
    print_line(text)
    if saved:
        print_line(f"Saved as {save}: {saved}")
    print_line(f"Picture and tables: {page}")


@click.command()
@click.option("--part", help="Part that is asked for.")
@click.option("--region", help="Region of delivery.")
@click.option("--quantity", help="Units.")
@click.option("--by", default="", metavar="WEEK", help="Latest week of delivery, as the date of its Monday.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="CSV file of inquiries, answered in turn: part_id, region, quantity, and by if any has a latest week.",
)
@click.option(
    "--hold",
    type=click.IntRange(1, 366),
    metavar="DAYS",
    help="Hold what is offered for this many days: the next plans respect it.",
)
@json_option
def promise(
    part: str | None,
    region: str | None,
    quantity: str | None,
    by: str,
    file: Path | None,
    hold: int | None,
    as_json: bool,
) -> None:
    """Say when, by whom and at what cost units can be delivered on the capacity that the newest plan leaves.

    An inquiry with --by takes its cheapest offer, another one its earliest: that is what --hold holds, and what later
    inquiries of a file find taken. Where free capacity is not enough, --by also shows what it would displace to serve
    the inquiry before other demand.
    """
    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.workflows.promise import answer_inquiries

    inquiries = _inquiries(part, region, quantity, by, file)
    settings = load_existing_settings()
    answered = answer_inquiries(
        settings,
        Lake(settings.lake_path),
        inquiries,
        hold,
        lambda: print_line("Somebody else is holding units: waiting …", err=True),
    )
    answers, held = answered.answers, answered.held
    if as_json:
        ids = held.promise_ids if held else [None] * len(answers)
        print_json(
            {
                "plan": answered.week,
                "answers": [_answer_json(answer, i) for answer, i in zip(answers, ids, strict=True)],
                "held": held and {"file": held.file, "expires": held.expires},
            }
        )
        return
    _print_answers(answers, held, is_table=file is not None)


def _inquiries(
    part: str | None, region: str | None, quantity: str | None, by: str, file: Path | None
) -> "list[Inquiry]":
    import pandas as pd

    from forecasting_assets.allocation import InquiryError, parse_inquiries, parse_inquiry

    if file is not None:
        if part or region or quantity or by:
            raise click.UsageError(
                "--file holds whole inquiries: leave out --part, --region, --quantity and --by."
            )
        if not file.is_file():
            raise click.UsageError(f"--file {file}: there is no such file.")
        try:
            table = pd.read_csv(
                file, dtype=str, keep_default_na=False, skipinitialspace=True, skip_blank_lines=False
            )
        except ValueError as error:  # of the encoding, or of a line; also if the file is empty
            raise click.UsageError(
                f"--file {file} cannot be read ({error}): save it as CSV (UTF-8) with commas."
            ) from None
        try:
            return parse_inquiries(table)
        except InquiryError as error:
            raise click.UsageError(f"--file {file}: {error}") from None
    if part is None or region is None or quantity is None:
        raise click.UsageError("Give --part, --region and --quantity, or --file with many inquiries.")
    return [parse_inquiry(part, region, quantity, by)]


def _answer_json(answer: "Answer", promise_id: str | None) -> dict[str, Any]:
    taken = None
    if answer.taken is not None:
        taken = "earliest" if answer.inquiry.by is None else "cheapest"
    return {**asdict(answer), "taken": taken, "promise_id": promise_id}


def _print_answers(answers: "list[Answer]", held: "Hold | None", is_table: bool) -> None:
    from forecasting_assets.reporting import ANSWER_HEADING, answer_rows, answer_text

    if is_table:
        print_table(ANSWER_HEADING, answer_rows(answers))
    else:
        print_line(answer_text(answers[0]))
    if held and held.file:
        names = ", ".join(name for name in held.promise_ids if name)
        print_line(f"Held until {held.expires} as {names}: {held.file}")
    elif held:
        print_line("Nothing is held: nothing can be offered.")
