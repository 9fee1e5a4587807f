# One image for every process of the product; docker-compose.yml says which one a container runs.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 DO_NOT_TRACK=1
WORKDIR /srv/mingus

# the dependencies change seldom: a layer of their own
COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock

COPY . .
RUN pip install --no-deps --no-build-isolation -e . \
    && useradd --system --create-home --uid 10001 mingus \
    && install -d -o mingus -g mingus var

USER mingus
CMD ["mingus", "--help"]
