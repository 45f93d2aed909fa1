FROM python:3.10-slim

ARG DEBIAN_FRONTEND=noninteractive
ARG PIP_BREAK_SYSTEM_PACKAGES=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_DISABLE_PIP_VERSION_CHECK=1

ENV GREETING="say \"hi\" \\ \$HOME"

RUN --mount=type=cache,id=byom-apt-python-3.10-slim,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=byom-lists-python-3.10-slim,target=/var/lib/apt/lists,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get update -qq \
    && apt-get install -qqy --no-install-recommends -o APT::Keep-Downloaded-Packages=true \
      ffmpeg \
      libgl1 \
      'foo=1.2*' \
      tini \
      curl \
      git \
      ca-certificates \
    && { command -v python > /dev/null || command -v python3 > /dev/null || { echo "the base image has no Python" >&2; exit 1; }; } \
    && { command -v python > /dev/null || ln -s "$(command -v python3)" /usr/local/bin/python; } \
    && python -m pip --version

RUN --mount=type=cache,target=/root/.cache/pip \
    printf '%s\n' \
      'numpy==1.26.4 ; python_version >= '\''3.8'\''' \
      'torch==1.12.1 --extra-index-url=https://example.com/whl/cpu' \
      'git+https://example.com/x.git#subdirectory=y' \
      > /tmp/byom-requirements.txt \
    && python -m pip install -r /tmp/byom-requirements.txt \
    && rm /tmp/byom-requirements.txt

RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip install cog==0.23.1 coglet==0.23.1

RUN curl -L "https://example.com/$(uname -s)" > /usr/local/bin/pget && chmod +x /usr/local/bin/pget

RUN --mount=type=cache,target=/root/.cache/pip \
    pip install x>=1.3

RUN --mount=type=cache,id=byom-apt-python-3.10-slim,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=byom-lists-python-3.10-slim,target=/var/lib/apt/lists,sharing=locked \
    apt-get update && apt-get install -y sox

RUN --mount=type=secret,id=token,target=/run/secrets/token \
    --mount=type=cache,target=/root/.cache/pip \
    pip install -r private.txt

RUN echo last

COPY .byom/helper/byom /opt/byom/python/byom
RUN python -c "import os, site; folder = site.getsitepackages()[0]; os.makedirs(folder, exist_ok=True); open(os.path.join(folder, 'byom.pth'), 'w').write('/opt/byom/python\nimport byom._start\n')"

WORKDIR /src
