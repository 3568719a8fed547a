"""How fast Carepath answers, beside two yardsticks that run in turn with it.

`uv run --group test python -m tests.bench` starts three servers, one process each, and loads them one after another:

    constant   finished bytes over the same uvicorn: what this machine can do at most
    tutorial   the same three resources as the FastAPI and SQLModel documentation teaches to write them
    Carepath   `carepath serve`

Requests per second mean little on a machine that others use; the ratios within one run do.
"""
