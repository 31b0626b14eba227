# docker build -t perfcheck .
# docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" --network host perfcheck run -u http://localhost:8000
FROM python:3.14-slim-trixie AS build
WORKDIR /source
COPY . .
RUN python -m venv --without-pip /opt/perfcheck && \
    pip --python /opt/perfcheck/bin/python install --no-cache-dir '/source[brotli,http2,load,postgres,schema]'

FROM python:3.14-slim-trixie
COPY --from=build /opt/perfcheck /opt/perfcheck
ENV PATH=/opt/perfcheck/bin:$PATH
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["perfcheck"]
