# One image for each distribution: --build-arg PART=services/resource --build-arg MODULE=grove_resource
FROM python:3.13-slim AS build
ARG PART
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check uv==0.13.8
WORKDIR /src
COPY requirements/ requirements/
RUN name=$(basename "$PART") && VIRTUAL_ENV=/venv /venv/bin/uv pip sync --require-hashes --compile-bytecode "requirements/$name.txt"
COPY shared/ shared/
COPY ${PART}/ ${PART}/
RUN python -m venv /tools && /tools/bin/pip install --no-cache-dir --disable-pip-version-check uv==0.13.8 \
    && VIRTUAL_ENV=/venv /tools/bin/uv pip install --no-deps --compile-bytecode ./shared && VIRTUAL_ENV=/venv /tools/bin/uv pip install --no-deps -e "./${PART}" \
    && /venv/bin/python -m compileall -q "./${PART}/src"

FROM python:3.13-slim
ARG PART
ARG MODULE
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin grove \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/grove/files
COPY --from=build /venv /venv
COPY --from=build /src/${PART} /src/${PART}
ENV PATH=/venv/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MODULE=${MODULE} HOST=0.0.0.0 OPS_HOST=127.0.0.1
USER 10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('OPS_PORT', '9000') + '/health/ready', timeout=2)"]
ENTRYPOINT ["sh", "-c", "exec python -m \"$MODULE\" \"$@\"", "--"]
CMD ["api"]
