import { readdir, readFile } from "node:fs/promises";

import type Docker from "dockerode";
import { buildTestImage } from "../../../support/build-image.ts";

/** Python from Debian's packages, as `byom host base-image` makes it. */
export const baseImage = "byom-base/python:3.11";
const tag = "byom-test/snapshot-clone:latest";
const helper = new URL("../../../../builder/python-helper/", import.meta.url);

/** Shows of each clone what must be its own and what must be shared. */
const predictor = `
import os, platform, random, socket, subprocess, time, uuid
import byom
import numpy
from byom import after_restore, before_snapshot

seen = []
told = {}
platform.node()  # remembered by the module

@before_snapshot
def before():
    seen.append("before")

@after_restore
def after(instance):
    seen.append("after " + instance["id"])
    told.update(instance, token=byom.secrets.get("TOKEN"))

class Predictor:
    database = None

    def setup(self):
        self.restores = 0
        self.ballast = bytearray(os.urandom(8 << 20))
        with open("/root/written", "w") as file:
            file.write("kept")
        if os.path.exists("/etc/issue.net"):
            os.remove("/etc/issue.net")
        os.makedirs("/srv/deep/er", exist_ok=True)
        open("/srv/deep/er/file", "w").close()

    def before_snapshot(self):
        if self.database is not None:
            self.database.close()
            self.database = None

    def after_restore(self):
        self.restores += 1

    def connection(self, host, port):
        if self.database is None:
            self.database = socket.create_connection((host, port))
        return self.database

    def predict(self, do: str = "", host: str = "", port: int = 0) -> dict:
        if do == "connect":
            self.kept = socket.create_connection((host, port))
        if do == "ask":
            self.connection(host, port).sendall(b"?")
            return {"answer": self.connection(host, port).recv(100).decode()}
        if do == "connect-elsewhere":
            script = f"exec 3<>/dev/tcp/{host}/{port}; sleep 60"
            self.child = subprocess.Popen(["bash", "-c", script])
        if do == "disconnect":
            self.child.kill()
            self.child.wait()
        if do == "identity":
            return {
                "environment": byom.environment.get("MODE"),
                "osEnvironment": os.environ.get("MODE"),
                "token": byom.secrets.get("TOKEN"),
                "instance": dict(byom.instance),
                "hostnames": sorted({socket.gethostname(), platform.node(), os.environ["HOSTNAME"]}),
                "resolves": socket.gethostbyname(socket.gethostname()),
                "told": told,
            }
        if do == "sum":
            return {"sum": sum(self.ballast[:100]) * 0 + 42}
        return {
            "random": random.random(),
            "numpy": float(numpy.random.rand()),
            "uuid": str(uuid.uuid4()),
            "uuid1": uuid.uuid1().node,
            "seen": list(seen),
            "restores": self.restores,
            "written": open("/root/written").read(),
            "deleted": not os.path.exists("/etc/issue.net"),
            "deep": os.path.exists("/srv/deep/er/file"),
        }
`;

const dockerfile = `
FROM ${baseImage}
RUN --mount=type=cache,target=/root/.cache/pip --mount=type=bind,source=ca.crt,target=/run/ca.crt \
    PIP_CERT=/run/ca.crt pip install --break-system-packages cog==0.23.1 numpy
COPY byom /usr/lib/python3/dist-packages/byom
COPY byom.pth /usr/lib/python3/dist-packages/byom.pth
WORKDIR /src
COPY predict.py /src/predict.py
ENV COG_PREDICT_TYPE_STUB=predict.py:Predictor PYTHONUNBUFFERED=1
EXPOSE 5000
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["python", "-m", "cog.server.http"]
`;

/** Builds the image, from the engine's cache when it was built before, and returns its ID. */
export async function ensureCloneImage(docker: Docker): Promise<string> {
  const files: Record<string, string | Buffer> = {
    Dockerfile: dockerfile,
    "predict.py": predictor,
    "byom.pth": await readFile(new URL("byom.pth", helper)),
  };
  for (const name of await readdir(new URL("byom/", helper))) {
    if (name.endsWith(".py"))
      files[`byom/${name}`] = await readFile(new URL(`byom/${name}`, helper));
  }
  return await buildTestImage(docker, tag, files);
}
