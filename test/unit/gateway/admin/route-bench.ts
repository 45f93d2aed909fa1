import type { ProviderDouble } from "../../../support/provider-double.ts";
import {
  removeDirectory,
  startPlatform,
  startVllm,
  vllmKey,
  type Answer,
  type Platform,
} from "./platform.ts";

/** What the own models say, and what the provider's do. */
export const own = "own model";
export const theirs = "Hi you";

/** The text of a chat, or the code of its failure. */
export const said = ({ body }: Answer): unknown =>
  body.choices?.[0]?.message.content ?? body.error?.code;

/** A platform with the own model `acme/chat` and the provider's model `vllm/qwen`. */
export class RouteBench {
  platform: Platform;
  readonly vllm: ProviderDouble;

  private constructor(platform: Platform, vllm: ProviderDouble) {
    this.platform = platform;
    this.vllm = vllm;
  }

  static async start(): Promise<RouteBench> {
    const platform = await startPlatform();
    const vllm = await startVllm();
    await platform.call("PUT", "/api/v1/providers/vllm", {
      body: {
        adapter: "openai-compatible",
        baseUrl: vllm.baseUrl,
        key: vllmKey,
        allowPrivate: true,
      },
    });
    await platform.call("PUT", "/api/v1/catalog/models/vllm/qwen", {
      body: { upstreams: [{ provider: "vllm", model: "Qwen/Qwen3-8B" }] },
    });
    return new RouteBench(platform, vllm);
  }

  put(name: string, body: unknown): Promise<Answer> {
    return this.platform.call("PUT", `/api/v1/routes/${encodeURIComponent(name)}`, { body });
  }

  /** Another process over the same data. */
  async restart(): Promise<void> {
    await this.platform.close();
    this.platform = await startPlatform({ directory: this.platform.directory });
  }

  /** @throws with what the provider was asked that it does not know */
  async close(): Promise<void> {
    await this.platform.close();
    await removeDirectory(this.platform.directory);
    await this.vllm.close();
    this.vllm.verify();
  }
}
