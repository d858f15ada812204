"""Where the site's own file lies. Apart from the other settings: a chart is assessed without keys, database or server."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT: Final = Path(__file__).resolve().parent.parent
"""The top of the repository. Relative paths in settings start here, so that every process means the same file."""

PREFIX: Final = "INOCYCLE_"


class SettingsRefused(Exception):
    """The settings cannot be used. The message names the variables and never their values."""


def from_root(path: Path) -> Path:
    """A path of the settings as every process means it."""
    return ROOT / path.expanduser()


def entries(value: object) -> object:
    """A list as it stands in one variable: separated by commas."""
    return tuple(entry.strip() for entry in value.split(",") if entry.strip()) if isinstance(value, str) else value


def _paths(value: object) -> object:
    found = entries(value)
    return tuple(Path(str(entry)) for entry in found) if isinstance(found, tuple) else found


_Path = Annotated[Path, AfterValidator(from_root)]


class SiteSettings(BaseSettings):
    """The present site file, and those that open courses pinned before it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, hide_input_in_errors=True)

    site_file: _Path | None = None
    """Stricter numbers, units in the laboratories' words, sign-offs: laid over every protocol of a course that starts."""
    former_site_files: Annotated[tuple[_Path, ...], NoDecode, BeforeValidator(_paths)] = ()
    """Site files that open courses pinned before the present one, separated by commas."""


def load_site_settings() -> SiteSettings:
    """Only where the site file lies. Raises `SettingsRefused`."""
    try:
        return SiteSettings()
    except ValidationError as error:
        names = sorted({f"{PREFIX}{str(fault['loc'][0]).upper()}" for fault in error.errors(include_input=False)})
    raise SettingsRefused(f"settings refused: {', '.join(names)}")
