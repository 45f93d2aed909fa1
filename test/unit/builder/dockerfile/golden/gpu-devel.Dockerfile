FROM python:3.11-slim AS uv

ARG PIP_BREAK_SYSTEM_PACKAGES=1
ARG SSL_CERT_FILE=/run/byom-ca.crt
ARG PIP_CERT=/run/byom-ca.crt
ARG REQUESTS_CA_BUNDLE=/run/byom-ca.crt
ARG CURL_CA_BUNDLE=/run/byom-ca.crt
ARG GIT_SSL_CAINFO=/run/byom-ca.crt

RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=.byom/ca.crt,target=/run/byom-ca.crt \
    python -m pip install --target /uv uv==0.13.9

FROM nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04

ARG DEBIAN_FRONTEND=noninteractive
ARG PIP_BREAK_SYSTEM_PACKAGES=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG SSL_CERT_FILE=/run/byom-ca.crt
ARG PIP_CERT=/run/byom-ca.crt
ARG REQUESTS_CA_BUNDLE=/run/byom-ca.crt
ARG CURL_CA_BUNDLE=/run/byom-ca.crt
ARG GIT_SSL_CAINFO=/run/byom-ca.crt

RUN --mount=type=cache,id=byom-apt-nvidia-cuda-12.4.1-cudnn-devel-ubuntu22.04,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=byom-lists-nvidia-cuda-12.4.1-cudnn-devel-ubuntu22.04,target=/var/lib/apt/lists,sharing=locked \
    --mount=type=bind,source=.byom/ca.crt,target=/run/byom-ca.crt \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get -o Acquire::https::CaInfo=/run/byom-ca.crt update -qq \
    && apt-get -o Acquire::https::CaInfo=/run/byom-ca.crt install -qqy --no-install-recommends -o APT::Keep-Downloaded-Packages=true \
      tini

COPY --from=uv /uv/bin/uv /usr/local/bin/uv
ARG UV_PYTHON_INSTALL_DIR=/opt/python
ARG UV_PYTHON_INSTALL_MIRROR
ENV PATH=/opt/python/bin:$PATH
RUN --mount=type=bind,source=.byom/ca.crt,target=/run/byom-ca.crt \
    uv python install --no-bin 3.11 \
    && ln -s "$(dirname "$(uv python find --managed-python 3.11)")" /opt/python/bin \
    && python -m pip --version

RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=.byom/ca.crt,target=/run/byom-ca.crt \
    printf '%s\n' \
      'torch==2.5.1' \
      'flash-attn==2.7.4' \
      > /tmp/byom-requirements.txt \
    && python -m pip install -r /tmp/byom-requirements.txt \
    && rm /tmp/byom-requirements.txt

RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=.byom/ca.crt,target=/run/byom-ca.crt \
    python -m pip install cog==0.23.1 coglet==0.23.1

COPY .byom/helper/byom /opt/byom/python/byom
RUN python -c "import os, site; folder = site.getsitepackages()[0]; os.makedirs(folder, exist_ok=True); open(os.path.join(folder, 'byom.pth'), 'w').write('/opt/byom/python\nimport byom._start\n')"

WORKDIR /src
