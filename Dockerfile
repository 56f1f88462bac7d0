# One image for every role: `spectraq worker` by default, any other command by argument.
FROM python:3.11-slim-bookworm AS build
# Tools for the build stay in this stage.
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY schemas schemas
COPY models models
COPY workers workers
RUN python -m venv /opt/spectraq \
 && /opt/spectraq/bin/pip install --no-cache-dir --constraint constraints.txt '.[web]'

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home spectraq
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
