# One image for every role: `spectraq worker` by default, any other command by argument.
FROM python:3.11-slim-bookworm AS build
# Tools for the build stay in this stage.
WORKDIR /src
COPY deploy/locks deploy/locks
# Wheels alone, each with the hash that is written down: nothing of others runs here, and nothing was exchanged.
RUN python -m venv /opt/spectraq \
 && /opt/spectraq/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement deploy/locks/image.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: --requirement deploy/locks/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY models models
COPY workers workers
COPY spectraq spectraq
RUN /opt/build/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/spectraq/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl

FROM python:3.11-slim-bookworm
# A new volume at /archive has the owner that the folder has here.
RUN useradd --system --uid 10001 --no-create-home spectraq \
 && install --directory --owner 10001 /archive
COPY --from=build /opt/spectraq /opt/spectraq
# PYTHONSAFEPATH: a folder named `models` beside the working directory must not be imported for ours.
ENV PATH=/opt/spectraq/bin:$PATH \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SPECTRAQ_WORKER__HEALTH_HOST=0.0.0.0 \
    SPECTRAQ_WORKER__HEALTH_PORT=8081
USER 10001
WORKDIR /tmp
EXPOSE 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8081/livez', timeout=2)"]
ENTRYPOINT ["spectraq"]
CMD ["worker"]
