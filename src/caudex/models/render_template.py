"""Renders a chat template that a stranger may have written, in a process of its own; imports nothing of caudex.

Standard input has {"template", "variables", "max_characters", "seconds", "memory"} as JSON; standard output gets {"text"} or {"error"}.
The process ends after so many seconds of computing, and gets so many bytes.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime

from jinja2 import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    """{% generation %} marks what a model says, for training; here its content counts alone."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own form

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def raise_exception(message: str) -> None:
    raise TemplateError(message)


def render_bounded(template: str, variables: dict, max_characters: int) -> str:
    """The text, as transformers renders it. Raises TemplateError and whatever a template can cause."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    environment.globals |= {"raise_exception": raise_exception, "strftime_now": datetime.now().strftime}
    parts, length = [], 0
    for part in environment.from_string(template).generate(**variables):
        parts.append(part)
        length += len(part)
        if length > max_characters:
            raise TemplateError(f"it makes more than {max_characters:,} characters")
    return "".join(parts)


def limit_resources(seconds: int, memory: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows, where the caller's timeout remains
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def answer_request() -> None:
    request = json.load(sys.stdin)
    limit_resources(request["seconds"], request["memory"])
    try:
        result = {"text": render_bounded(request["template"], request["variables"], request["max_characters"])}
    except MemoryError:
        result = {"error": "it asks for too much memory"}
    except Exception as error:  # a template can cause nearly every kind
        result = {"error": " ".join(str(error).split())[:200] or type(error).__name__}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    answer_request()
