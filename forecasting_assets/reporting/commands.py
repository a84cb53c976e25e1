"""Commands as a reader can paste them into a shell."""

import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote


@dataclass(frozen=True)
class Commands:
    """The command line on one home.

    Attributes
    ----------
    home
        The home; None for the one that a reader's shell has set.
    program
        How to start the command line, quoted for a shell.
    """

    home: Path | None = None
    program: str = "forecasting-assets"

    @classmethod
    def of(cls, home: Path) -> "Commands":
        """Return the command line that runs now, on `home`."""
        program = Path(sys.prefix) / "bin" / "forecasting-assets"
        if program.exists():
            return cls(home, quote(str(program)))
        return cls(home, f"{quote(sys.executable)} -m forecasting_assets")

    def line(self, arguments: str) -> str:
        """Return a command; `arguments` are quoted already."""
        command = f"{self.program} {arguments}"
        return command if self.home is None else f"FORECASTING_HOME={quote(str(self.home))} {command}"
