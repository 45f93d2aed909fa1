// The image is asked once: each further build of the same files would otherwise wait for the model's import again.
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { completeDocument } from "../../../../builder/docker/ask-image.ts";
import type { DockerEngine } from "../../../../builder/docker/connect.ts";
import type { BuilderEvent } from "../../../../builder/events.ts";
import type { Image } from "../../../../builder/image.ts";
import type { Plan } from "../../../../builder/index.ts";
import { type BuilderStore, openBuilderStore } from "../../../../builder/store.ts";
import { createTemporaryFolder } from "../../cli/temporary-folder.ts";

const answered = JSON.stringify({
  predict: {
    inputs: [{ name: "voice", type: { kind: "str" }, default: { kind: "value", value: "loud" } }],
    output: { kind: "str" },
    isStreaming: false,
  },
});

const plan = {
  predictor: "run.py:Runner",
  cogVersion: { value: "1.2.3", reason: "default" },
  openApiSchema: { openapi: "3.0.2", from: "source" },
  openApiQuestions: ["parameter 'voice'"],
} as unknown as Plan;

let store: BuilderStore;
beforeEach(() => {
  store = openBuilderStore({ dataDirectory: createTemporaryFolder() });
});
afterEach(() => {
  store[Symbol.dispose]();
});

/** An engine whose containers print `text` and end. */
function createEngine(text: string): {
  engine: DockerEngine;
  commands: string[][];
  removed: () => number;
} {
  const commands: string[][] = [];
  let removed = 0;
  const container = {
    start: async () => undefined,
    wait: async () => ({ StatusCode: 0 }),
    logs: async () => Buffer.from(`${text}\n`),
    remove: async () => {
      removed += 1;
    },
  };
  const docker = {
    createContainer: async ({ Cmd }: { Cmd: string[] }) => {
      commands.push(Cmd);
      return container;
    },
    modem: {
      demuxStream: (source: Duplex, sink: Duplex) =>
        source.on("data", (bytes: Buffer) => sink.write(bytes)),
    },
  };
  return { engine: { docker } as unknown as DockerEngine, commands, removed: () => removed };
}

async function complete(
  engine: DockerEngine,
  options: { plan?: Plan; key?: readonly string[]; events?: BuilderEvent[] } = {},
): ReturnType<typeof completeDocument> {
  return await completeDocument({
    plan: options.plan ?? plan,
    engine,
    store,
    key: options.key ?? ["environment", "code"],
    makeImage: async () => ({ name: "model:latest" }) as Image,
    onEvent: (event) => options.events?.push(event),
  });
}

it("asks once for each state of the files, and removes its container", async () => {
  const { engine, commands, removed } = createEngine(answered);
  const expected = {
    info: { version: "1.2.3" },
    components: { schemas: { Input: { properties: { voice: { default: "loud" } } } } },
  };
  expect(await complete(engine)).toMatchObject(expected);
  expect(await complete(engine)).toMatchObject(expected);
  expect(commands).toHaveLength(1);
  expect(commands[0]?.slice(0, 2)).toEqual(["python", "-c"]);
  expect(commands[0]?.slice(3)).toEqual(["run.py:Runner", "-"]);
  expect(await complete(engine, { key: ["environment", "other code"] })).toMatchObject(expected);
  expect([commands.length, removed()]).toEqual([2, 2]);
});

it("asks nothing where the source says all", async () => {
  const { engine, commands } = createEngine(answered);
  const { openApiQuestions: _questions, ...whole } = plan;
  expect(await complete(engine, { plan: whole })).toBe(plan.openApiSchema);
  expect(commands).toEqual([]);
});

it("keeps what the source says of a model that cannot be imported, says why, and asks again next time", async () => {
  const failing = createEngine('{"predict": {"error": "RuntimeError: no GPU"}}');
  const events: BuilderEvent[] = [];
  expect(await complete(failing.engine, { events })).toBe(plan.openApiSchema);
  expect(events).toMatchObject([
    { type: "schema-ask-start", questions: ["parameter 'voice'"] },
    { type: "schema-ask-end", failures: ["RuntimeError: no GPU"] },
  ]);
  const { engine, commands } = createEngine(answered);
  await complete(engine);
  expect(commands).toHaveLength(1);
});
