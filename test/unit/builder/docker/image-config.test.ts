import { expect, test } from "vitest";
import type { EngineImage, HistoryEntry } from "../../../../builder/docker/engine-image.ts";
import { assembleImageConfig } from "../../../../builder/docker/image-config.ts";
import type { AssembledConfig } from "../../../../builder/docker/image-config.ts";
import type { ImageLayer, Plan } from "../../../../builder/index.ts";
import { blobFromBytes, digestOf } from "../../../../registry-client/index.ts";

const plan: Plan = {
  directory: "/repo",
  platform: "linux/amd64",
  imageName: "cog-test",
  baseImage: { value: "python:3.11-slim", reason: "default" },
  pythonVersion: { value: "3.11", reason: "default" },
  cogVersion: { value: "0.23.1", reason: "default" },
  gpu: false,
  environment: [],
  contextFiles: [],
  weights: [],
  code: [],
  variables: { PATH: "/opt/bin:/usr/bin", COG_PREDICT_TYPE_STUB: "run.py:Runner" },
  buildVariables: {},
  labels: { "run.cog.version": "0.23.1" },
  entrypoint: ["/usr/bin/tini", "--"],
  command: ["python", "-m", "cog.server.http"],
  workingDirectory: "/src",
  exposedPort: 5000,
};

const engineImage: EngineImage = {
  id: digestOf("environment"),
  os: "linux",
  architecture: "amd64",
  variant: undefined,
  diffIds: [digestOf("base"), digestOf("workdir")],
  user: "",
  variables: ["PATH=/usr/bin", "LANG=C.UTF-8"],
  entrypoint: ["/base-entrypoint"],
  command: ["bash"],
  workingDirectory: "/",
  stopSignal: undefined,
  labels: { maintainer: "someone" },
  exposedPorts: ["80/tcp"],
  volumes: [],
  shell: [],
};

const history: HistoryEntry[] = [
  {
    created: 1_700_000_000,
    createdBy: "/bin/sh -c #(nop) ADD file:1 in / ",
    comment: "",
    sizeBytes: 9,
  },
  {
    created: 1_700_000_000,
    createdBy: '/bin/sh -c #(nop)  CMD ["bash"]',
    comment: "",
    sizeBytes: 0,
  },
  {
    created: 1_700_000_001,
    createdBy: "WORKDIR /src",
    comment: "buildkit.dockerfile.v0",
    sizeBytes: 0,
  },
];

const layers: ImageLayer[] = [
  {
    kind: "code",
    source: blobFromBytes(Buffer.from("code"), { mediaType: "t" }),
    createdBy: "byom: code",
  },
];

function assemble(changes: { history?: readonly HistoryEntry[] } = {}): AssembledConfig {
  return assembleImageConfig({
    plan,
    engineImage,
    history,
    layers,
    labels: { "byom.environment.key": "k" },
    ...changes,
  });
}

test("the config is the environment's with the plan's settings over it", () => {
  const { bytes, id } = assemble();
  expect(id).toBe(digestOf(bytes));
  expect(JSON.parse(bytes.toString())).toEqual({
    created: "1970-01-01T00:00:00Z",
    architecture: "amd64",
    os: "linux",
    config: {
      ExposedPorts: { "5000/tcp": {}, "80/tcp": {} },
      Env: ["LANG=C.UTF-8", "PATH=/opt/bin:/usr/bin", "COG_PREDICT_TYPE_STUB=run.py:Runner"],
      Entrypoint: ["/usr/bin/tini", "--"],
      Cmd: ["python", "-m", "cog.server.http"],
      WorkingDir: "/src",
      Labels: {
        "byom.environment.key": "k",
        maintainer: "someone",
        "run.cog.version": "0.23.1",
      },
    },
    rootfs: { type: "layers", diff_ids: [...engineImage.diffIds, digestOf("code")] },
    history: [
      { created: "2023-11-14T22:13:20.000Z", created_by: "/bin/sh -c #(nop) ADD file:1 in / " },
      {
        created: "2023-11-14T22:13:20.000Z",
        created_by: '/bin/sh -c #(nop)  CMD ["bash"]',
        empty_layer: true,
      },
      {
        created: "2023-11-14T22:13:21.000Z",
        created_by: "WORKDIR /src",
        comment: "buildkit.dockerfile.v0",
      },
      { created: "1970-01-01T00:00:00Z", created_by: "byom: code" },
    ],
  });
});

test("the same parts give the same image ID, today and tomorrow", () => {
  expect(assemble().bytes.equals(assemble().bytes)).toBe(true);
});

test("a history that disagrees with the layers would make other tools refuse the image: it is replaced", () => {
  const { bytes } = assemble({ history: history.slice(1) });
  const { history: rendered } = JSON.parse(bytes.toString()) as {
    history: { created_by: string }[];
  };
  expect(rendered.map((entry) => entry.created_by)).toEqual([
    "environment",
    "environment",
    "byom: code",
  ]);
});
