"""Each distribution as it would be published: an sdist, and the wheel made from that sdist."""

import subprocess
import sys
import tarfile
from configparser import ConfigParser
from email import message_from_string
from email.message import Message
from importlib.metadata import entry_points
from pathlib import Path
from zipfile import ZipFile

import attrs
import pytest

import usage_core

ROOT = Path(__file__).parent.parent
PACKAGES = ["usage_core", "usage_null", "usage_posthog", "usage_stdout"]
TRANSPORTS = {"null": "usage_null", "posthog": "usage_posthog", "stdout": "usage_stdout"}


@attrs.frozen
class Built:
    """What was made of one folder: the names in the sdist, the files in the wheel."""

    package: str
    sdist: set[str]
    wheel: dict[str, bytes]

    @property
    def folder(self) -> Path:
        return ROOT / "src" / self.package

    @property
    def sources(self) -> dict[str, bytes]:
        paths = [*self.folder.rglob("*.py"), self.folder / "py.typed"]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}

    @property
    def metadata(self) -> Message:
        return message_from_string(self.about("METADATA").decode())

    def about(self, name: str) -> bytes:
        (found,) = [file for file in self.wheel if file.endswith(f".dist-info/{name}")]
        return self.wheel[found]


@pytest.fixture(scope="module", params=PACKAGES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("a folder for wheels")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run(
        [*build, str(ROOT / "src" / request.param)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    wheel_file, sdist_file = [*out.glob("*.whl"), *out.glob("*.tar.gz")]
    with ZipFile(wheel_file) as wheel, tarfile.open(sdist_file) as sdist:
        return Built(
            request.param,
            {name.partition("/")[2] for name in sdist.getnames()},
            {name: wheel.read(name) for name in wheel.namelist()},
        )


def test_a_wheel_holds_each_module_of_its_folder_and_nothing_else(built: Built) -> None:
    expected = {f"{built.package}/{path}": content for path, content in built.sources.items()}
    actual = {name: held for name, held in built.wheel.items() if ".dist-info/" not in name}
    assert expected == actual


def test_an_sdist_holds_what_its_wheel_is_made_of_and_nothing_else(built: Built) -> None:
    around = {".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
    assert built.sources.keys() | around == built.sdist


def test_no_distribution_has_tests_in_it(built: Built) -> None:
    names = {part for path in built.sources for part in Path(path).parts}
    assert not [name for name in names if name.startswith(("test_", "tests", "conftest"))]


def test_a_wheel_carries_the_licence_of_the_repository(built: Built) -> None:
    assert (ROOT / "LICENSE").read_bytes() == built.about("licenses/LICENSE")
    assert "MIT" == built.metadata["License-Expression"]


def test_a_wheel_says_what_it_is(built: Built) -> None:
    assert built.package.replace("_", "-") == built.metadata["Name"]
    assert ">=3.11" == built.metadata["Requires-Python"]
    assert (built.folder / "README.md").read_text() == built.metadata.get_payload()


def test_a_transport_is_found_by_its_name_and_the_core_brings_none(built: Built) -> None:
    expected = {name: package for name, package in TRANSPORTS.items() if package == built.package}
    found = ConfigParser()
    found.read_string(built.about("entry_points.txt").decode())
    assert expected == (dict(found["usage.transports"]) if "usage.transports" in found else {})


def test_all_but_the_core_take_any_core_of_this_series(built: Built) -> None:
    cores = [line for line in built.metadata.get_all("Requires-Dist", []) if "usage-core" in line]
    assert cores == ([] if built.package == "usage_core" else ["usage-core<0.2,>=0.1"])


def test_the_four_carry_one_version_and_the_changelog_begins_with_it(built: Built) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert usage_core.__version__ == built.metadata["Version"]
    assert changelog.partition("\n## [")[2].startswith(f"{usage_core.__version__}]")


def test_each_line_of_the_changelog_names_its_distribution() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    entries = [line for line in lines if line.startswith("- ")]
    assert entries
    for line in entries:
        assert line.split("`")[1].replace("-", "_") in PACKAGES, line


def test_an_installed_transport_is_an_entry_point() -> None:
    found = entry_points(group="usage.transports")
    assert TRANSPORTS.items() <= {entry.name: entry.value for entry in found}.items()
