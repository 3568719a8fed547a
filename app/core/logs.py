"""Logs: one JSON object a line on standard error, made of chosen fields only.

Nothing that a client sent is ever a field, but for a request id that is a UUID. Of an exception the type and the lines
of code are told, never its text: that of a database or validation error carries values.
"""

import json
import logging
import sys
import traceback
from typing import Any

from app.core import clock

_log = logging.getLogger("carepath")
_ENCODER = json.JSONEncoder(ensure_ascii=False)


class JsonLines(logging.Formatter):
    """The only formatter of the process."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; `fields` given to `event` stand beside the event's name."""
        line: dict[str, Any] = {"at": clock.now().isoformat(timespec="milliseconds"), "level": record.levelname.lower()}
        if record.name == "carepath":
            line["event"] = record.msg
        else:
            line |= {"event": "library", "logger": record.name, "line": f"{record.filename}:{record.lineno}"}
            # Other libraries write values into their messages. The server's own are harmless but for its errors, where
            # it writes the trace of an exception, with its text.
            if record.name.startswith("uvicorn") and record.levelno < logging.ERROR:
                line["message"] = record.getMessage()
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["lines"] = [
                f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])[-12:]
            ]
        return _ENCODER.encode(line)


def configure() -> None:
    """Send every logger of this process through JsonLines; the server's own access log is off."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    # None of these is in a line, and to look them up takes longer than to write it.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("carepath", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.handlers.clear()
        logger.propagate = True
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    logging.captureWarnings(capture=True)


def event(name: str, **fields: Any) -> None:
    """Log that something happened."""
    _log.info(name, extra={"fields": fields})


def failure(name: str, error: BaseException | None = None, **fields: Any) -> None:
    """Log that something went wrong on our side."""
    trace = (type(error), error, error.__traceback__) if error is not None else None
    _log.error(name, exc_info=trace, extra={"fields": fields})
