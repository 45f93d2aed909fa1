import { PassThrough, Readable } from "node:stream";
import { expect, test } from "vitest";
import { followBuild } from "../../../../builder/docker/build-stream.ts";
import { EnvironmentBuildError } from "../../../../builder/index.ts";
import type { BuilderEvent } from "../../../../builder/index.ts";

/** Just enough of protobuf's wire format to speak as BuildKit does. */
function bytesField(field: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

function timestamp(ms: number): Buffer {
  const nanos = (ms % 1_000) * 1_000_000;
  return Buffer.concat([varintField(1, Math.floor(ms / 1_000)), varintField(2, nanos)]);
}

function vertex(options: {
  digest: string;
  name: string;
  started?: number;
  completed?: number;
  isCached?: boolean;
  error?: string;
}): Buffer {
  return bytesField(
    1,
    Buffer.concat([
      bytesField(1, options.digest),
      bytesField(3, options.name),
      ...(options.isCached === true ? [varintField(4, 1)] : []),
      ...(options.started === undefined ? [] : [bytesField(5, timestamp(options.started))]),
      ...(options.completed === undefined ? [] : [bytesField(6, timestamp(options.completed))]),
      ...(options.error === undefined ? [] : [bytesField(7, options.error)]),
    ]),
  );
}

function log(digest: string, text: string): Buffer {
  return bytesField(
    3,
    Buffer.concat([bytesField(1, digest), varintField(3, 1), bytesField(4, text)]),
  );
}

function trace(...parts: Buffer[]): string {
  return `${JSON.stringify({ id: "moby.buildkit.trace", aux: Buffer.concat(parts).toString("base64") })}\n`;
}

const imageId = `${JSON.stringify({ id: "moby.image.id", aux: { ID: "sha256:1" } })}\n`;

async function follow(lines: readonly string[]): Promise<BuilderEvent[]> {
  const events: BuilderEvent[] = [];
  const stream = Readable.from(lines.map((line) => Buffer.from(line)));
  await followBuild({ stream, onEvent: (event) => events.push(event) });
  return events;
}

test("each step is told with its name, its lines and its time; BuildKit's own business is not", async () => {
  const step = { digest: "sha256:a", name: "[2/3] RUN pip install cog" };
  const events = await follow([
    trace(
      vertex({
        digest: "sha256:i",
        name: "[internal] load build context",
        started: 1,
        completed: 2,
      }),
    ),
    trace(vertex({ ...step, started: 10_000 })),
    trace(
      log("sha256:a", "Collecting cog\nDownload"),
      log("sha256:a", "ing 10%\rDownloading 100%\n"),
    ),
    trace(vertex({ ...step, started: 10_000, completed: 11_500 })),
    trace(vertex({ ...step, started: 10_000, completed: 11_500 })),
    trace(
      vertex({
        digest: "sha256:b",
        name: "[3/3] WORKDIR /src",
        started: 1,
        completed: 1,
        isCached: true,
      }),
    ),
    imageId,
  ]);
  expect(events).toEqual([
    { type: "environment-step-start", id: "sha256:a", name: step.name },
    { type: "environment-step-log", id: "sha256:a", text: "Collecting cog" },
    { type: "environment-step-log", id: "sha256:a", text: "Downloading 100%" },
    { type: "environment-step-end", id: "sha256:a", name: step.name, ms: 1_500, isCached: false },
    { type: "environment-step-start", id: "sha256:b", name: "[3/3] WORKDIR /src" },
    {
      type: "environment-step-end",
      id: "sha256:b",
      name: "[3/3] WORKDIR /src",
      ms: 0,
      isCached: true,
    },
  ]);
});

test("a failing step rejects with its last lines, not with those of a step beside it", async () => {
  const lines = Array.from({ length: 40 }, (_, index) => `line ${index}\n`).join("");
  const error: unknown = await follow([
    trace(
      vertex({ digest: "a", name: "RUN apt", started: 1 }),
      vertex({ digest: "b", name: "RUN pip", started: 1 }),
    ),
    trace(
      log("a", "apt goes on\n"),
      log("b", `${lines}ERROR: No matching distribution found for x`),
    ),
    trace(
      vertex({ digest: "a", name: "RUN apt", started: 1, completed: 2, error: "context canceled" }),
      vertex({ digest: "b", name: "RUN pip", started: 1, completed: 2, error: "exit code: 1" }),
    ),
    `${JSON.stringify({ error: 'process "/bin/sh -c pip" did not complete successfully: exit code: 1' })}\n`,
  ]).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EnvironmentBuildError);
  const { step, log: last, hint, message } = error as EnvironmentBuildError;
  expect({ step, count: last.length, end: last.at(-1) }).toEqual({
    step: "RUN pip",
    count: 20,
    end: "ERROR: No matching distribution found for x",
  });
  expect(message).toContain("failed at RUN pip: exit code 1");
  expect(hint).toContain("cog.yaml");
});

test("a build whose connection ends early has not succeeded", async () => {
  await expect(
    follow([trace(vertex({ digest: "a", name: "RUN pip", started: 1 }))]),
  ).rejects.toThrow("closed the connection");
});

test("a build that failed leaves no connection behind that could break later and end the process", async () => {
  const stream = new PassThrough();
  const building = followBuild({ stream });
  // In two pieces, as a network may cut it.
  stream.write('{"error": "exit ');
  stream.write('code: 1"}\n{"id"');
  await expect(building).rejects.toThrow("exit code 1");
  expect(stream.destroyed).toBe(true);
  // An error that nobody listens to would fail this test as it ended the process.
  stream.destroy(new Error("aborted"));
  await new Promise(setImmediate);
});

test("fields that a newer engine adds are skipped", async () => {
  const unknown = Buffer.concat([
    varintField(30, 5),
    bytesField(31, "new"),
    Buffer.from([0xfd, 1, 1, 2, 3, 4]),
  ]);
  expect(
    await follow([trace(unknown, vertex({ digest: "a", name: "RUN x", started: 1 })), imageId]),
  ).toEqual([{ type: "environment-step-start", id: "a", name: "RUN x" }]);
});
