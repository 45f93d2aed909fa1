import {
  createCatalog,
  searchQuery,
  type Catalog,
  type CatalogModel,
  type ModelSearch,
} from "./catalog.ts";
import { createFiles, type Files } from "./files.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import { createPredictions, type Predictions } from "./predictions.ts";
import { runModel, type LastCall } from "./run.ts";
import { createTransport, type TransportOptions } from "./transport.ts";
import type { AiInputs, InputsOf, ModelName, OutputOf, RunOptions } from "./types.ts";

export interface AIOptions extends TransportOptions {
  /** Gateway of calls that name none; any name, there is one. Default `default`. */
  readonly gateway?: string;
  /** Times in a row, without an event between them, that a stream is taken up again after a cut; default 5. */
  readonly reconnectsMax?: number;
}

/** The models of a byom platform, with the methods of `env.AI` in Workers, and more. */
export interface AI extends Readonly<LastCall> {
  /**
   * Runs a model: its answer, a stream of events for `stream: true` (which goes on by itself after a cut connection), a
   * stream of bytes for a file, or the whole `Response` for `returnRawResponse: true`.
   * @throws `InferenceUpstreamError` with Workers AI's code
   */
  run<const Name extends ModelName>(
    model: Name,
    inputs: InputsOf<Name>,
    options: RunOptions & { readonly returnRawResponse: true },
  ): Promise<Response>;
  run<const Name extends ModelName>(
    model: Name,
    inputs: InputsOf<Name> & { readonly stream: true },
    options?: RunOptions,
  ): Promise<ReadableStream<Uint8Array>>;
  run<const Name extends ModelName>(
    model: Name,
    inputs: InputsOf<Name>,
    options?: RunOptions,
  ): Promise<OutputOf<Name>>;
  /** One page of the catalog. */
  models(search?: ModelSearch): Promise<readonly CatalogModel[]>;
  /** Another view of the same gateway: the universal endpoint, its URLs and its logs. */
  gateway(id: string): Gateway;
  /** A request as the Workers binding makes them: `https://workers-binding.ai/…` is the gateway. */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  readonly predictions: Predictions;
  readonly files: Files;
  readonly catalog: Catalog;
}

/** Times that a stream is taken up again when the caller does not say. */
const reconnectsDefault = 5;

/**
 * A client of a byom platform, with plain `fetch`: for Node, Workers and browsers.
 *
 *     const ai = createAI({ baseUrl: "https://models.example.com", apiKey });
 *     const { response } = await ai.run("acme/chat", { prompt: "Hello" }, { metadata: { team: "search" } });
 */
export function createAI(options: AIOptions): AI {
  const transport = createTransport(options);
  const { gateway: gatewayId = "default", reconnectsMax = reconnectsDefault } = options;
  const last: LastCall = {
    lastRequestId: null,
    aiGatewayLogId: null,
    lastRequestHttpStatusCode: null,
    lastRequestInternalStatusCode: null,
  };
  return {
    get lastRequestId() {
      return last.lastRequestId;
    },
    get aiGatewayLogId() {
      return last.aiGatewayLogId;
    },
    get lastRequestHttpStatusCode() {
      return last.lastRequestHttpStatusCode;
    },
    get lastRequestInternalStatusCode() {
      return last.lastRequestInternalStatusCode;
    },
    // What comes back depends on the answer: the types say what it is for a model that keeps its word.
    run: ((model: string, inputs: AiInputs, runOptions?: RunOptions) =>
      runModel({
        transport,
        last,
        reconnectsMax,
        gatewayId,
        model,
        inputs,
        options: runOptions ?? {},
      })) as AI["run"],
    async models(search = {}) {
      const { result } = (await transport.json(`/ai-api/models/search?${searchQuery(search)}`)) as {
        readonly result: readonly CatalogModel[];
      };
      return result;
    },
    gateway: (id) => createGateway(transport, { id, reconnectsMax }),
    fetch(input, init) {
      const url = new URL(input instanceof Request ? input.url : input);
      const path = `${url.pathname}${url.search}`;
      if (!(input instanceof Request)) return transport.send(path, init);
      const { method, headers, body, signal } = input;
      const copied = { method, headers, signal, ...(body !== null && { body, duplex: "half" }) };
      return transport.send(path, { ...copied, ...init } as RequestInit);
    },
    predictions: createPredictions(transport),
    files: createFiles(transport),
    catalog: createCatalog(transport),
  };
}
