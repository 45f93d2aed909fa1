import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PredictorSchema, createSchema } from "../../../../builder/python-schema/index.ts";
import { installCog } from "./cog-install.ts";

/**
 * The document is only right when the real server takes it: this runs the cog package from PyPI with a document of ours,
 * and asks it what clients ask.
 */
const predictor = `
from typing import Literal, Optional
import cog
from cog import BaseRunner, ConcatenateIterator, Input, Secret

class Runner(BaseRunner):
    @cog.streaming
    def run(
        self,
        prompt: str = Input(description="What to say", max_length=20),
        times: int = Input(default=2, ge=1, le=3),
        voice: Literal["loud", "quiet"] = "quiet",
        key: Optional[Secret] = None,
        late: str = str(object.__name__),
    ) -> ConcatenateIterator[str]:
        for index in range(times):
            word = prompt.upper() if voice == "loud" else prompt
            yield f"{word}{index}{'' if key is None else '!'}"
`;

const readyTimeoutMs = 60_000;
const slotFreeTimeoutMs = 10_000;

const folder = await mkdtemp(join(tmpdir(), "byom-schema-"));
const reason = await installCog(folder);
if (reason !== undefined)
  console.log(`skipped: the cog server cannot be installed here: ${reason}`);

describe.skipIf(reason !== undefined)("the server of cog, with a document of ours", () => {
  const controller = new AbortController();
  let base = "";
  let schema: PredictorSchema;

  beforeAll(async () => {
    const model = join(folder, "model");
    await mkdir(join(model, ".cog"), { recursive: true });
    await writeFile(join(model, "predict.py"), predictor);
    schema = await createSchema({ directory: model, predictor: "predict.py:Runner" });
    await writeFile(join(model, ".cog/openapi_schema.json"), JSON.stringify(schema.document));
    const port = await freePort();
    base = `http://127.0.0.1:${port}`;
    const server = execa("python", ["-m", "cog.server.http"], {
      cwd: model,
      cancelSignal: controller.signal,
      reject: false,
      all: true,
      env: {
        PATH: `${join(folder, "venv/bin")}:/usr/bin:/bin`,
        PORT: String(port),
        COG_PREDICT_TYPE_STUB: "predict.py:Runner",
      },
    });
    await waitUntilReady(base, server);
  });

  afterAll(async () => {
    if (base !== "") await fetch(`${base}/shutdown`, { method: "POST" }).catch(() => undefined);
    controller.abort();
    await rm(folder, { recursive: true, force: true });
  });

  /**
   * Coglet 0.23 answers a prediction before it frees its slot: a call right after it may be told
   * 409, "At capacity". The platform asks again then, and so does this.
   */
  const predict = async (
    input: Record<string, unknown>,
    headers: Record<string, string> = {},
  ): Promise<Response> => {
    const deadline = Date.now() + slotFreeTimeoutMs;
    for (;;) {
      const response = await fetch(`${base}/predictions`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({ input }),
      });
      if (response.status !== 409 || Date.now() > deadline) return response;
      await response.body?.cancel();
      await sleep(10);
    }
  };

  it("serves the document to clients", async () => {
    const response = await fetch(`${base}/openapi.json`);
    expect(await response.json()).toEqual(schema.document);
    expect(schema.problems.filter((problem) => problem.severity === "error")).toEqual([]);
  });

  it("takes a good input, and leaves a default that only Python knows to Python", async () => {
    const response = await predict({ prompt: "hey", voice: "loud" });
    expect(await response.json()).toMatchObject({ status: "succeeded", output: ["HEY0", "HEY1"] });
  });

  it("wraps a secret", async () => {
    const response = await predict({ prompt: "a", times: 1, key: "k" });
    expect(await response.json()).toMatchObject({ status: "succeeded", output: ["a0!"] });
  });

  it.each([
    [{}, "prompt"],
    [{ prompt: 3 }, "prompt"],
    [{ prompt: "far too long for the limit" }, "prompt"],
    [{ prompt: "a", times: 4 }, "times"],
    [{ prompt: "a", voice: "shrill" }, "voice"],
    [{ prompt: "a", times: null }, "times"],
  ])("refuses %j and names the input", async (input, name) => {
    const response = await predict(input);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ detail: [{ loc: ["body", "input", name] }] });
  });

  it("streams on request, because the document says that the method streams", async () => {
    const response = await predict({ prompt: "hey" }, { accept: "text/event-stream" });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const text = await response.text();
    expect(text.match(/^event: ?\w+/gm)?.map((line) => line.replace(/^event: ?/, ""))).toEqual(
      expect.arrayContaining(["start", "output", "completed"]),
    );
    expect(text).toContain('"chunk":"hey1"');
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => void server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function waitUntilReady(
  base: string,
  server: PromiseLike<{ readonly all?: unknown }>,
): Promise<void> {
  let output: unknown;
  void server.then((result) => {
    output = result.all;
  });
  const deadline = Date.now() + readyTimeoutMs;
  while (Date.now() < deadline) {
    if (output !== undefined) throw new Error(`the server ended: ${JSON.stringify(output)}`);
    const response = await fetch(`${base}/health-check`).catch(() => undefined);
    const health = (await response?.json()) as { status?: string } | undefined;
    const document = health?.status === "READY" ? await fetch(`${base}/openapi.json`) : undefined;
    if (document?.ok === true) return;
    await sleep(100);
  }
  throw new Error("the server did not become ready");
}
