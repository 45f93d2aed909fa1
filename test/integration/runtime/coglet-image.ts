import type Docker from "dockerode";
import { buildTestImage } from "../../support/build-image.ts";

/** Python from Debian's packages, as `byom host base-image` makes it. */
const baseImage = "byom-base/python:3.11";
const tag = "byom-test/runtime-coglet:latest";

/** How setup() and predict() behave is chosen by environment variables, so that one image serves every test. */
const predictor = `
import os, random, sys, time
from cog import BasePredictor, Input

class Predictor(BasePredictor):
    def setup(self):
        mode = os.environ.get("TEST_SETUP", "")
        print("setup begins in mode", mode, flush=True)
        time.sleep(float(os.environ.get("TEST_SETUP_SECONDS", "0")))
        if mode in ("exit", "memory"):
            # What is printed less than a moment before the end may die with the worker, inside Cog's server.
            time.sleep(0.5)
        if mode == "raise":
            raise RuntimeError("the weights are not what they should be")
        if mode == "exit":
            os.kill(1, 15)
            os._exit(3)
        if mode == "hang":
            time.sleep(3600)
        if mode == "memory":
            self.hoard = [bytearray(64 << 20) for _ in range(64)]
        self.greeting = os.environ.get("TEST_GREETING", "hello")

    def predict(self, text: str = Input(description="who to greet"), seconds: float = 0.0) -> str:
        time.sleep(seconds)
        if text == "fail":
            raise ValueError("asked to fail")
        return f"{self.greeting} {text}"
`;

const schema = {
  openapi: "3.0.2",
  info: { title: "Cog", version: "0.1.0" },
  paths: { "/predictions": { post: {} } },
  components: {
    schemas: {
      Input: {
        type: "object",
        title: "Input",
        required: ["text"],
        properties: {
          text: { type: "string", title: "Text", "x-order": 0 },
          seconds: { type: "number", title: "Seconds", default: 0, "x-order": 1 },
        },
      },
      Output: { type: "string", title: "Output" },
      PredictionRequest: {
        type: "object",
        properties: { input: { $ref: "#/components/schemas/Input" } },
      },
    },
  },
};

const dockerfile = `
FROM ${baseImage}
RUN --mount=type=bind,source=ca.crt,target=/run/ca.crt PIP_CERT=/run/ca.crt \
    pip install --no-cache-dir --break-system-packages cog==0.23.1
WORKDIR /src
COPY predict.py /src/predict.py
COPY openapi_schema.json /src/.cog/openapi_schema.json
ENV COG_PREDICT_TYPE_STUB=predict.py:Predictor PYTHONUNBUFFERED=1
LABEL run.cog.openapi_schema='${JSON.stringify(schema)}'
EXPOSE 5000
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["python", "-m", "cog.server.http"]
`;

/** Builds the image unless the engine has it already, and returns its ID. */
export async function ensureCogletImage(docker: Docker): Promise<string> {
  await docker.getImage(baseImage).inspect();
  return await buildTestImage(docker, tag, {
    Dockerfile: dockerfile,
    "predict.py": predictor,
    "openapi_schema.json": JSON.stringify(schema),
  });
}
