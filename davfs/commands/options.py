"""Options of the command ``davfs``; those of settings are made from the table of all settings."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from davfs.errors import ConfigurationError
from davfs.layout.levels import RESOURCES
from davfs.layout.tags import ExtraTags, representation
from davfs.settings import checks
from davfs.settings.checks import nearest
from davfs.settings.configuration import GivenValue
from davfs.settings.table import SETTINGS, Setting

_TYPES: dict[Callable[[str, Any], Any], Any] = {
    checks.flag: bool,
    checks.number: int,
    checks.port: int,
    checks.layout_names: list[str],
    checks.host_names: list[str],
}

ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(envvar="DAVFS_CONFIG", help="A TOML file with the keys of Orthanc's Davfs section, and [Orthanc]."),
]
TagOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="A tag that Orthanc's option ExtraMainDicomTags adds, with its level, such as series:SliceThickness.",
        metavar="LEVEL:KEYWORD",
    ),
]
VerboseOption: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", envvar="DAVFS_VERBOSE", help="Log more.")]


def with_settings(*keys: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of settings to a command, which reads their values by `checked_values` or `values`.

    Args:
        keys: The settings' keys; none for all that have an option.
    """
    chosen = [SETTINGS[key] for key in keys] or [setting for setting in SETTINGS.values() if setting.option]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**arguments: Any) -> None:
            command(**{name: value for name, value in arguments.items() if name not in added})

        own = inspect.signature(command)
        added = {each.name: each for each in map(_parameter, chosen)}
        parameters = (*own.parameters.values(), *added.values())
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # what typer reads
        return run

    return decorate


def checked_values(context: typer.Context, environment: Mapping[str, str]) -> dict[str, GivenValue]:
    """Return the same as `values`, but refuse variables that the command does not know.

    Raises:
        ConfigurationError: A variable is not known.
    """
    variables = {str(parameter.envvar) for parameter in context.command.params if parameter.envvar} | set(_secrets())
    for name in environment:
        if name.startswith("DAVFS_") and name not in variables:
            raise ConfigurationError(f"{name} is no variable of davfs serve: {nearest(name, variables)}")
    return values(context, environment)


def values(context: typer.Context, environment: Mapping[str, str]) -> dict[str, GivenValue]:
    """Return the values of options and variables, by key of the setting; ignore variables of other commands."""
    keys = {_name(setting): key for key, setting in SETTINGS.items() if setting.option}
    options = {
        keys[str(parameter.name)]: GivenValue(value, _where(context, parameter))
        for parameter in context.command.params
        if parameter.name in keys and (value := _value(context, parameter)) is not None
    }
    return options | {
        key: GivenValue(environment[name], name) for name, key in _secrets().items() if environment.get(name)
    }


def extra_tags(tags: Sequence[str] | None) -> ExtraTags:
    """Parse the values of ``--tag``: tags that Orthanc keeps besides its usual ones, by level.

    Raises:
        typer.BadParameter: One is no tag of a level.
    """
    parsed = []
    for text in tags or ():
        name, _, keyword = text.partition(":")
        if name not in RESOURCES or representation(keyword) is None:
            allowed = f"write one of {', '.join(RESOURCES)}, a colon, and a DICOM keyword"
            raise typer.BadParameter(f"{text!r} is no tag of a level: {allowed}", param_hint="--tag")
        parsed.append((RESOURCES[name], keyword))
    return {level: [keyword for other, keyword in parsed if other is level] for level, _ in parsed}


def _parameter(setting: Setting) -> inspect.Parameter:
    """Return the parameter that typer makes a setting's option from."""
    kind = _TYPES.get(setting.check, str)
    option = typer.Option(
        envvar=setting.variable,
        help=setting.help + _default(setting),
        metavar=setting.option.partition(" ")[2] or None,
        parser=_whole if kind is int else None,
        rich_help_panel=_panel(setting.key),
    )
    annotation = Annotated[kind | None, option]  # type: ignore[valid-type]  # what typer reads
    return inspect.Parameter(_name(setting), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _name(setting: Setting) -> str:
    """Return the name of a setting's option as a parameter: ``allow_upload``."""
    return setting.option.partition(" ")[0].removeprefix("--").replace("-", "_")


def _panel(key: str) -> str:
    """Return the heading of a setting in the help: its table's name."""
    table, dot, _ = key.partition(".")
    return table if dot else "Orthanc" if key == "Wait" else "Drive"


def _default(setting: Setting) -> str:
    default = setting.default
    if isinstance(default, bool):
        return f" Default: {'' if default else 'no-'}{setting.option.removeprefix('--')}."
    return f" Default: {', '.join(default) if isinstance(default, list) else default}." if default else ""


def _secrets() -> dict[str, str]:
    """Return the keys of secrets, which have no option, by their variable."""
    return {setting.variable: key for key, setting in SETTINGS.items() if setting.variable and not setting.option}


def _whole(value: str) -> int:
    """Parse a whole number; typer's own message does not repeat the value."""
    try:
        return int(value)
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no whole number") from None


def _value(context: typer.Context, parameter: Any) -> Any:
    value = context.params[str(parameter.name)]
    return list(value) or None if isinstance(value, (list, tuple)) else value


def _where(context: typer.Context, parameter: Any) -> str:
    source = context.get_parameter_source(str(parameter.name))
    from_environment = source is not None and source.name == "ENVIRONMENT"
    return str(parameter.envvar if from_environment else parameter.opts[0])
