import multiprocessing
from pathlib import Path

from forecasting_assets.runtime.lock import only_one


def hold(home: Path, held, release) -> None:
    with only_one(home, "demand"):
        held.set()
        release.wait(60)


def test_the_second_process_says_that_it_waits_and_goes_on_when_the_first_has_ended(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    held, release, said = spawn.Event(), spawn.Event(), []
    first = spawn.Process(target=hold, args=(tmp_path, held, release))
    first.start()
    assert held.wait(60)

    def waiting() -> None:
        said.append("waiting")
        release.set()

    with only_one(tmp_path, "forecast", waiting):
        assert said == []
    with only_one(tmp_path, "demand", waiting):
        assert said == ["waiting"]
    first.join(60)
    assert first.exitcode == 0
