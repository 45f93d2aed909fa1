// A call does not fail because one upstream did; what was tried, why it failed and what it cost stays visible; and the
// caller's own faults are not spread over all providers.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { StartError, until } from "../harness.ts";
import {
  backed,
  breaks,
  breaksAfter,
  chat,
  chunksOf,
  lone,
  mixed,
  refuses,
  says,
  stalls,
  startStage,
  textOf,
  type Reply,
  type Stage,
} from "./two-providers.ts";

const messages = [{ role: "user", content: "Who are you?" }];

let stage: Stage;

beforeEach(async () => {
  stage = await startStage();
});

afterEach(async () => {
  await stage.close();
});

function ask(
  model: string,
  more: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return stage.harness.call("/v1/chat/completions", {
    body: { model, messages, ...more },
    headers,
  });
}

async function said(response: Response): Promise<string> {
  const body = (await response.json()) as {
    readonly choices: readonly [{ readonly message: { readonly content: string } }];
  };
  return body.choices[0].message.content;
}

const faults: readonly (readonly [string, Reply])[] = [
  ["a broken connection", breaks],
  ["500", refuses(500)],
  ["503", refuses(503)],
  ["529", refuses(529)],
  ["408", refuses(408)],
  ["429", refuses(429, { "retry-after": "30" })],
  ["401 of the operator's key", refuses(401)],
  ["402", refuses(402)],
  ["403", refuses(403)],
  ["an empty 200", (response) => response.writeHead(200).end()],
  [
    "another content type",
    (response) =>
      response.writeHead(200, { "content-type": "text/html" }).end("<h1>Maintenance</h1>"),
  ],
  [
    "an error with status 200",
    (response) =>
      response
        .writeHead(200, { "content-type": "application/json" })
        .end('{"error":{"message":"overloaded"}}'),
  ],
];

describe("a model with two upstreams", () => {
  it.each(faults)("answers whole by the second one after %s", async (_name, reply) => {
    stage.replies["first"] = reply;
    const answer = await ask(chat.id);
    expect(answer.status).toBe(200);
    expect(await said(answer)).toBe("I am second.");
    expect(stage.asked.map(({ provider }) => provider)).toEqual(["first", "second"]);
    expect(answer.headers.get("cf-aig-step")).toBe("1");
    expect(answer.headers.get("cf-aig-provider")).toBe("second");
  });

  it.each(faults)("streams by the second one after %s", async (_name, reply) => {
    stage.replies["first"] = reply;
    const answer = await ask(chat.id, { stream: true });
    const text = await answer.text();
    expect(textOf(chunksOf(text))).toBe("I am second.");
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
    expect(text).not.toContain("byom");
  });

  it.each(faults.slice(0, 9))(
    "gives an own shape by the second one after %s",
    async (_name, reply) => {
      stage.replies["first"] = reply;
      const answer = await stage.harness.call("/v1/messages", {
        body: { model: chat.id, messages, max_tokens: 50 },
      });
      expect(await answer.json()).toMatchObject({ content: [{ text: "I am second." }] });
    },
  );

  it("says which legs were tried, why one failed and what each cost", async () => {
    stage.replies["first"] = refuses(503);
    const answer = await ask(chat.id);
    const legs = answer.headers.get("x-byom-legs") ?? "";
    expect(legs).toMatch(
      /^0;provider="first";model="them\/chat";state=failed;code=upstream_failed;status=503;ms=\d+;usd=0, 1;provider="second";model="them\/chat";state=succeeded;ms=\d+/,
    );
    expect(stage.calls).toMatchObject([
      {
        id: answer.headers.get("cf-aig-log-id"),
        requestedModel: chat.id,
        status: "succeeded",
        legs: [
          { index: 0, provider: "first", end: { state: "failed", status: 503 } },
          {
            index: 1,
            provider: "second",
            upstreamModel: "second-model",
            end: { state: "succeeded", usage: { inputTokens: 5, outputTokens: 7 } },
          },
        ],
      },
    ]);
  });

  it("names each leg to its provider, so that bills can be held against each other", async () => {
    stage.replies["first"] = refuses(500);
    const answer = await ask(chat.id);
    const id = answer.headers.get("cf-aig-log-id");
    expect(stage.asked.map(({ headers }) => headers["x-client-request-id"])).toEqual([
      `${id}.0`,
      `${id}.1`,
    ]);
    expect(stage.asked.map(({ body }) => body["model"])).toEqual(["first-model", "second-model"]);
    expect(stage.asked.map(({ headers }) => headers.authorization)).toEqual([
      "Bearer sk-first",
      "Bearer sk-second",
    ]);
  });

  it.each([400, 413, 422])("does not spread the caller's own fault (%i)", async (status) => {
    stage.replies["first"] = refuses(status);
    const answer = await ask(chat.id);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(stage.asked).toHaveLength(1);
    expect(answer.headers.get("x-byom-legs")).toContain("state=failed");
  });

  it("sends a caller's own key to nobody but the first provider", async () => {
    stage.replies["first"] = refuses(500);
    const answer = await ask(chat.id, {}, { "x-byom-provider-key": "sk-of-the-caller" });
    expect(answer.status).toBe(502);
    expect(new Set(stage.asked.map(({ provider }) => provider))).toEqual(new Set(["first"]));
  });

  it("tries all again, in turn, before it gives up, and tells of each leg in the failure", async () => {
    stage.replies["first"] = refuses(500);
    stage.replies["second"] = refuses(500);
    const answer = await ask(chat.id);
    expect(answer.status).toBe(502);
    expect(stage.asked.map(({ provider }) => provider)).toEqual([
      "first",
      "second",
      "first",
      "second",
      "first",
      "second",
    ]);
    expect(answer.headers.get("x-byom-legs")?.split(", ")).toHaveLength(6);
    expect(answer.headers.get("cf-aig-step")).toBe("5");
  });

  it("leaves an upstream alone that keeps failing, and says so", async () => {
    stage.replies["first"] = refuses(500);
    for (let index = 0; index < 5; index += 1) await (await ask(chat.id)).arrayBuffer();
    stage.asked.length = 0;
    await (await ask(chat.id)).arrayBuffer();
    expect(stage.asked.map(({ provider }) => provider)).toEqual(["second"]);
    const changes = stage.harness.events.filter(({ type }) => type === "breaker-change");
    expect(changes).toMatchObject([{ upstream: { provider: "first", state: "open" } }]);
  });
});

describe("a model with one upstream", () => {
  it("is asked again after a failure that may pass", async () => {
    let tries = 0;
    stage.replies["first"] = (response, asked) => {
      tries += 1;
      (tries < 3 ? refuses(500) : says("At last."))(response, asked);
    };
    const answer = await ask(lone.id);
    expect(await said(answer)).toBe("At last.");
    expect(stage.legs.map(({ end }) => end.state)).toEqual(["failed", "failed", "succeeded"]);
  });

  it("is asked as often as the call says", async () => {
    stage.replies["first"] = refuses(500);
    await (await ask(lone.id, {}, { "cf-aig-max-attempts": "2" })).arrayBuffer();
    expect(stage.asked).toHaveLength(2);
    const refused = await ask(lone.id, {}, { "cf-aig-max-attempts": "6" });
    expect(refused.status).toBe(400);
    const backoff = await ask(lone.id, {}, { "cf-aig-backoff": "sometimes" });
    expect(backoff.status).toBe(400);
  });

  it("tells the caller when to come back rather than to wait too long for it", async () => {
    stage.replies["first"] = refuses(429, { "retry-after": "30" });
    const answer = await ask(lone.id);
    expect(answer.status).toBe(429);
    expect(answer.headers.get("retry-after")).toBe("30");
    expect(stage.asked).toHaveLength(1);
  });

  it("fails with what the first output took too long for", async () => {
    stage.replies["first"] = stalls;
    const answer = await ask(lone.id, { stream: true }, { "cf-aig-request-timeout": "50" });
    expect(answer.status).toBe(504);
    expect(stage.asked).toHaveLength(1);
  });
});

describe("an own deployment among the upstreams", () => {
  it("hands over to a provider when it cannot start", async () => {
    stage.harness.upstream.gate = () => Promise.reject(new StartError("start_failed", "no GPU"));
    const answer = await ask(mixed.id);
    expect(await said(answer)).toBe("I am second.");
    expect(stage.legs).toMatchObject([
      { provider: "byom", end: { state: "failed", code: "start_failed" } },
      { provider: "second", end: { state: "succeeded" } },
    ]);
  });

  it("hands over when its stream ends in an error before any output", async () => {
    stage.harness.coglet.play((prediction) => {
      prediction.start();
      void prediction.event("error", { error: "CUDA out of memory" });
    });
    const answer = await ask(mixed.id, { stream: true });
    expect(textOf(chunksOf(await answer.text()))).toBe("I am second.");
  });

  it("takes over from a provider in the caller's shape, whole and streamed", async () => {
    stage.replies["first"] = refuses(500);
    stage.harness.coglet.play((prediction) => {
      if (prediction.isStreaming) prediction.start();
      if (prediction.isStreaming) void prediction.output("Mine.");
      prediction.complete({ output: ["Mine."] });
    });
    expect(await said(await ask(backed.id))).toBe("Mine.");
    stage.harness.coglet.play((prediction) => {
      prediction.start();
      void prediction.output("Mine.");
      prediction.complete();
    });
    const streamed = await (await ask(backed.id, { stream: true })).text();
    expect(textOf(chunksOf(streamed))).toBe("Mine.");
    expect(streamed).toMatch(/data: \[DONE\]\n\n$/);
  });

  it("is woken and not waited for where the route says so", async () => {
    await stage.close();
    stage = await startStage({ onColdStart: "failover" });
    const { upstream } = stage.harness;
    Object.assign(upstream, { state: () => "idle" });
    const answer = await ask(mixed.id);
    expect(await said(answer)).toBe("I am second.");
    expect(upstream.acquired).toHaveLength(1);
    await until("the lease of the wake-up to go back", () => upstream.released.length === 1);
    expect(stage.legs[0]).toMatchObject({ end: { state: "abandoned", code: "start_timeout" } });
  });
});

describe("accepted predictions", () => {
  it("fail over too", async () => {
    stage.replies["first"] = refuses(500);
    const answer = await stage.harness.call(`/v1/models/${chat.id}/predictions`, {
      body: { input: { messages } },
      headers: { prefer: "wait=5" },
    });
    expect(await answer.json()).toMatchObject({ status: "succeeded" });
    expect(stage.asked.map(({ provider }) => provider)).toEqual(["first", "second"]);
  });

  it("begin anew elsewhere when their text broke off, and keep nothing of the first half", async () => {
    stage.replies["first"] = breaksAfter("Once upon");
    const answer = await stage.harness.call(`/v1/models/${chat.id}/predictions`, {
      body: { input: { messages } },
      headers: { prefer: "wait=5" },
    });
    const { output } = (await answer.json()) as { readonly output: unknown };
    expect(output).toEqual(["I am second."]);
  });
});
