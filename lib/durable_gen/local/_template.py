"""A SAM template's functions: what their properties say, with CloudFormation's short forms resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from durable_gen.local._functions import ACCOUNT, REGION, Function

FUNCTIONS = ("AWS::Serverless::Function", "AWS::Lambda::Function")
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "local",
    "AWS::URLSuffix": "amazonaws.com",
}
ASYNC_DEFAULTS = {"Timeout": 3, "MemorySize": 128}  # Lambda's own


class Unfit(ValueError):  # noqa: N818  # it says what the template lacks
    """A template that no functions can be read from."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's tags: `!Ref x` is read as `{"Ref": x}`."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    key = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if key == "Fn::GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {key: value}


_Loader.add_multi_constructor("!", _tagged)


def read(path: Path) -> list[Function]:
    """Read a template's functions.

    Args:
        path: the file.

    Raises:
        Unfit: it is no template, or a function lacks what it needs; the text says which.
        OSError: the file cannot be read.
    """
    try:
        template = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path} is no YAML: {error}"
        raise Unfit(msg) from error
    resources = template.get("Resources") if isinstance(template, dict) else None
    if not isinstance(resources, dict):
        msg = f"{path} has no Resources"
        raise Unfit(msg)
    shared = (template.get("Globals") or {}).get("Function") or {}
    values = _Values(resources, template.get("Parameters") or {})
    found = [
        _function(
            f"{path}: {name}",
            name,
            {**shared, **(resource.get("Properties") or {})},
            shared,
            values,
        )
        for name, resource in resources.items()
        if isinstance(resource, dict) and resource.get("Type") in FUNCTIONS
    ]
    if not found:
        msg = f"{path} has no resource of type {' or '.join(FUNCTIONS)}"
        raise Unfit(msg)
    return found


def _function(
    where: str, name: str, properties: dict[str, Any], shared: Mapping[str, Any], values: _Values
) -> Function:
    said = values.resolve({**ASYNC_DEFAULTS, **properties})
    handler = said.get("Handler")
    if not isinstance(handler, str) or "." not in handler:
        msg = f"{where}: expected a Handler like module.function, got {handler!r}"
        raise Unfit(msg)
    durable = said.get("DurableConfig")
    timeout = durable.get("ExecutionTimeout") if isinstance(durable, dict) else 900
    days = durable.get("RetentionPeriodInDays", 14) if isinstance(durable, dict) else 14
    variables = {
        **((values.resolve(shared.get("Environment")) or {}).get("Variables") or {}),
        **((said.get("Environment") or {}).get("Variables") or {}),
    }
    logging = said.get("LoggingConfig") or {}
    events = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 21_600} | (
        said.get("EventInvokeConfig") or {}
    )
    numbers = {
        "DurableConfig.ExecutionTimeout": timeout,
        "DurableConfig.RetentionPeriodInDays": days,
        "Timeout": said["Timeout"],
        "MemorySize": said["MemorySize"],
        "EventInvokeConfig.MaximumEventAgeInSeconds": events["MaximumEventAgeInSeconds"],
        "EventInvokeConfig.MaximumRetryAttempts": events["MaximumRetryAttempts"],
    }
    for member, value in numbers.items():
        least = 0 if member.endswith("Attempts") else 1
        if not str(value).isdecimal() or int(value) < least:
            msg = f"{where}: expected {member} to be a number, got {value!r}"
            raise Unfit(msg)
    return Function(
        name=name,
        version="$LATEST",
        call=None,
        durable=durable is not None,
        timeout=int(timeout or 0),
        retention=int(days),
        handler=handler,
        environment={key: _scalar(value) for key, value in variables.items()},
        seconds=int(said["Timeout"]),
        memory=int(said["MemorySize"]),
        log_format=str(logging.get("LogFormat", "Text")),
        log_level=logging.get("ApplicationLogLevel"),
        retries=int(events["MaximumRetryAttempts"]),
        age=int(events["MaximumEventAgeInSeconds"]),
    )


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


class _Values:
    """What references in a template stand for: a function is named by its logical id here."""

    def __init__(self, resources: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self._resources = resources
        self._parameters = parameters

    def resolve(self, value: Any) -> Any:
        """Replace the references in a value; what cannot be told is named as it is written."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, inner),) = value.items()
            if key == "Ref":
                return self._ref(str(inner))
            if key == "Fn::GetAtt":
                parts = inner if isinstance(inner, list) else str(inner).split(".", 1)
                return self._attribute(*map(str, parts[:2]))
            if key == "Fn::Sub":
                return self._substitute(inner)
            if key == "Fn::Join" and isinstance(inner, list) and len(inner) == 2:
                return str(inner[0]).join(map(_scalar, self.resolve(inner[1])))
        return {key: self.resolve(item) for key, item in value.items()}

    def _ref(self, name: str) -> Any:
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self._parameters:
            return self._parameters[name].get("Default", "")
        function, _, part = name.partition(".")  # SAM: Function.Version, Function.Alias
        if part in {"Version", "Alias"} and function in self._resources:
            return f"{self._attribute(function, 'Arn')}:$LATEST"
        return name

    def _attribute(self, name: str, attribute: str = "Arn") -> str:
        if attribute == "Arn" and name in self._resources:
            return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        return name

    def _substitute(self, inner: Any) -> str:
        text, given = (inner[0], self.resolve(inner[1])) if isinstance(inner, list) else (inner, {})

        def fill(match: re.Match[str]) -> str:
            word = match[1]
            if word.startswith("!"):
                return f"${{{word[1:]}}}"
            if word in given:
                return _scalar(given[word])
            name, _, attribute = word.partition(".")
            if attribute and attribute not in {"Version", "Alias"}:
                return self._attribute(name, attribute)
            return _scalar(self._ref(word))

        return re.sub(r"\$\{([^}]+)\}", fill, str(text))
