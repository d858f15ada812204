# The image of worker and command line. It runs from its source tree: protocols and migrations are read from beside the code.

FROM python:3.11.15-slim-trixie AS built
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/inocycle
RUN python -m venv .venv
COPY requirements.txt pyproject.toml ./
RUN .venv/bin/pip install --require-hashes --requirement requirements.txt
COPY . .
RUN .venv/bin/pip install --no-deps --no-build-isolation --editable .
# One lock serves development too; its tools are not for a ward.
RUN .venv/bin/python -c "import re, tomllib; \
    tools = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['dev']; \
    print(*(re.match(r'[\w.-]+', tool)[0] for tool in tools))" \
    | xargs .venv/bin/pip uninstall --yes

FROM python:3.11.15-slim-trixie
ENV PATH=/opt/inocycle/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin inocycle
WORKDIR /opt/inocycle
COPY --from=built /opt/inocycle /opt/inocycle
USER 10001
ENTRYPOINT ["inocycle"]
CMD ["worker"]
