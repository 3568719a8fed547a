# One image serves (`docker run IMAGE`) and does every other job (`docker run IMAGE migrate`).

FROM python:3.13-slim-bookworm AS build
WORKDIR /build
# Before the sources, so that a change of ours does not install the dependencies anew.
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/carepath \
    && pip --python /opt/carepath install --no-cache-dir --require-hashes --no-deps --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY app app
COPY migrations migrations
COPY seed seed
RUN pip wheel --no-cache-dir --no-deps --wheel-dir dist . \
    && pip --python /opt/carepath install --no-cache-dir --no-deps dist/*.whl

FROM python:3.13-slim-bookworm
# Numbers and no name, so that an orchestrator can tell that it is not root.
RUN install --directory --owner=10001 --group=10001 /var/lib/carepath
COPY --from=build /opt/carepath /opt/carepath
ENV PATH=/opt/carepath/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CAREPATH_ENVIRONMENT=production \
    CAREPATH_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/carepath
EXPOSE 8000
# http.client, because urllib would ask a configured proxy for this machine's own address.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('CAREPATH_PORT', '8000')), timeout=2); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["carepath"]
CMD ["serve"]
