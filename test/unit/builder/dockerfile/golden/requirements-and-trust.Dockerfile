FROM mirror.example.com/python:3.12

ARG DEBIAN_FRONTEND=noninteractive
ARG PIP_BREAK_SYSTEM_PACKAGES=1
ARG PIP_ROOT_USER_ACTION=ignore
ARG PIP_DISABLE_PIP_VERSION_CHECK=1
ARG SSL_CERT_FILE=/run/byom-ca.crt
ARG PIP_CERT=/run/byom-ca.crt
ARG REQUESTS_CA_BUNDLE=/run/byom-ca.crt
ARG CURL_CA_BUNDLE=/run/byom-ca.crt
ARG GIT_SSL_CAINFO=/run/byom-ca.crt
ARG PIP_CONFIG_FILE=/run/byom-pip.conf

RUN --mount=type=cache,id=byom-apt-mirror.example.com-python-3.12,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,id=byom-lists-mirror.example.com-python-3.12,target=/var/lib/apt/lists,sharing=locked \
    --mount=type=bind,source=.byom/ca.crt,target=/run/byom-ca.crt \
    --mount=type=bind,source=.byom/pip.conf,target=/run/byom-pip.conf \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && apt-get -o Acquire::https::CaInfo=/run/byom-ca.crt update -qq \
    && apt-get -o Acquire::https::CaInfo=/run/byom-ca.crt install -qqy --no-install-recommends -o APT::Keep-Downloaded-Packages=true \
      tini \
    && { command -v python > /dev/null || command -v python3 > /dev/null || { echo "the base image has no Python" >&2; exit 1; }; } \
    && { command -v python > /dev/null || ln -s "$(command -v python3)" /usr/local/bin/python; } \
    && python -m pip --version

RUN --mount=type=bind,source=a.whl,target=/src/a.whl \
    --mount=type=bind,source=reqs/more.txt,target=/src/reqs/more.txt \
    --mount=type=bind,source=requirements.txt,target=/src/requirements.txt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=.byom/ca.crt,target=/run/byom-ca.crt \
    --mount=type=bind,source=.byom/pip.conf,target=/run/byom-pip.conf \
    cd /src \
    && python -m pip install -r requirements.txt

RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=.byom/ca.crt,target=/run/byom-ca.crt \
    --mount=type=bind,source=.byom/pip.conf,target=/run/byom-pip.conf \
    python -m pip install cog==0.23.1 coglet==0.23.1

COPY .byom/helper/byom /opt/byom/python/byom
RUN python -c "import os, site; folder = site.getsitepackages()[0]; os.makedirs(folder, exist_ok=True); open(os.path.join(folder, 'byom.pth'), 'w').write('/opt/byom/python\nimport byom._start\n')"

WORKDIR /src
