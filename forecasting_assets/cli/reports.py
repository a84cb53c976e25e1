"""The command that opens the reports."""

from pathlib import Path

import click

from forecasting_assets.cli.home import load_existing_settings
from forecasting_assets.cli.output import json_option, print_json, print_line


@click.command("open")
@json_option
def open_reports(as_json: bool) -> None:
    """Open the first page of the reports, with all weeks, in a browser.

    Writes the page again first, so that it shows the state of the weeks now. Without a browser it prints its path.
    """
    import webbrowser

    from forecasting_assets.lake.lake import Lake
    from forecasting_assets.storage import is_url
    from forecasting_assets.workflows.index_report import write_index

    settings = load_existing_settings()
    index = write_index(settings, Lake(settings.lake_path), with_states=True)
    if as_json:
        print_json({"index": index})
        return
    if not webbrowser.open(index if is_url(index) else Path(index).as_uri()):
        print_line("There is no browser here: open this file in one.")
    print_line(index)
