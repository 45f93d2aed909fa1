// A connection that lives and says nothing must not hold a call: neither comments nor single bytes are an answer.
import { afterEach, describe, expect, it } from "vitest";

import {
  chat,
  chunksOf,
  lone,
  mixed,
  startStage,
  textOf,
  type Reply,
  type Stage,
} from "../prediction/two-providers.ts";

const messages = [{ role: "user", content: "Who are you?" }];

let stage: Stage;

afterEach(async () => {
  await stage.close();
});

/** Writes something every few milliseconds until the reader is gone. */
function keepsWriting(contentType: string, piece: string): Reply {
  return (response) => {
    response.writeHead(200, { "content-type": contentType });
    const timer = setInterval(() => response.write(piece), 10);
    response.once("close", () => clearInterval(timer));
  };
}

const comments = keepsWriting("text/event-stream", ": still here\n\n");
const drip = keepsWriting("text/event-stream", "d");
const slowBody = keepsWriting("application/json", " ");

describe("an answer that never says anything", () => {
  it.each([
    ["comments", comments, true],
    ["single bytes of an event", drip, true],
    ["single bytes of a body", slowBody, false],
  ] as const)("is left for the next upstream: %s", async (_name, reply, isStreamed) => {
    stage = await startStage({ deadlines: { silenceMs: 100 } });
    stage.replies["first"] = reply;
    const answer = await stage.harness.call("/v1/chat/completions", {
      body: { model: chat.id, messages, stream: isStreamed },
    });
    const text = await answer.text();
    expect(isStreamed ? textOf(chunksOf(text)) : text).toContain("I am second.");
    expect(stage.legs[0]).toMatchObject({ end: { state: "failed", code: "upstream_timeout" } });
  });

  it("is no success where it is alone, and is not asked again", async () => {
    stage = await startStage({ deadlines: { silenceMs: 100 } });
    stage.replies["first"] = comments;
    const answer = await stage.harness.call("/v1/chat/completions", {
      body: { model: lone.id, messages, stream: true },
    });
    expect(answer.status).toBe(504);
    expect(stage.asked).toHaveLength(1);
  });

  it("is left when its adapter reads it, too", async () => {
    stage = await startStage({ deadlines: { silenceMs: 100 } });
    stage.replies["first"] = comments;
    const answer = await stage.harness.call("/v1/messages", {
      body: { model: chat.id, messages, max_tokens: 9 },
    });
    expect(await answer.json()).toMatchObject({ content: [{ text: "I am second." }] });
  });

  it("is left when it is an own model's", async () => {
    stage = await startStage({ deadlines: { silenceMs: 100 } });
    stage.harness.coglet.play((prediction) => {
      prediction.start();
      const timer = setInterval(() => void prediction.raw(": ping\n\n"), 10);
      void prediction.closed.then(() => clearInterval(timer));
    });
    const answer = await stage.harness.call("/v1/chat/completions", {
      body: { model: mixed.id, messages, stream: true },
    });
    expect(textOf(chunksOf(await answer.text()))).toBe("I am second.");
  });

  it("is given its time while it says something now and then", async () => {
    stage = await startStage({ deadlines: { silenceMs: 500 } });
    stage.harness.coglet.play((prediction) => {
      prediction.start();
      let said = 0;
      const timer = setInterval(() => {
        void prediction.output("a");
        said += 1;
        if (said < 12) return;
        clearInterval(timer);
        prediction.complete();
      }, 60);
    });
    const answer = await stage.harness.call("/v1/chat/completions", {
      body: { model: mixed.id, messages, stream: true },
    });
    const text = await answer.text();
    expect(stage.legs).toMatchObject([{ end: { state: "succeeded" } }]);
    expect(textOf(chunksOf(text))).toBe("a".repeat(12));
  });
});
