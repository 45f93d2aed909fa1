import type { CatalogEntry } from "../../catalog/entry.ts";
import type { GatewayError } from "../../errors.ts";
import type { Call, Services } from "../../http/call.ts";
import { noteJourney } from "../../http/call-journeys.ts";
import { parseJsonObject } from "../../http/body.ts";
import { randomId } from "../../ids.ts";
import { journeyFacts, spendFacts } from "../../prediction/journey-facts.ts";
import { callFacts } from "../../prediction/start.ts";
import type { Candidate } from "../../route/candidate.ts";
import { Journey, type JourneyEnd, type OpenLeg } from "../../route/journey.ts";
import { legHeaders } from "../../route/leg-headers.ts";
import type { WireFormat } from "../../upstream/provider/adapter.ts";
import type { ProviderPass } from "./provider-pass.ts";

/** What of a request that passes through the ledger and the logs are told. */
export class PassJourney {
  /** Of the answer; undefined for a path that the gateway does not know. */
  readonly format: WireFormat | undefined;
  readonly #journey: Journey;
  readonly #candidate: Candidate;
  #failure: GatewayError | undefined;

  constructor(journey: Journey, candidate: Candidate, format: WireFormat | undefined) {
    this.#journey = journey;
    this.#candidate = candidate;
    this.format = format;
  }

  begin(): OpenLeg {
    return this.#journey.begin(this.#candidate);
  }

  headers(): Record<string, string> {
    const { id } = this.#journey.facts;
    return { "x-byom-prediction": id, "cf-aig-log-id": id, ...legHeaders(this.#journey) };
  }

  /** The provider's refusal has been passed on: that is no success, although the caller has an answer. */
  fail(failure: GatewayError): void {
    this.#failure = failure;
  }

  finish(end: JourneyEnd): void {
    const failure = end.failure ?? this.#failure;
    const told = failure === undefined ? end : { ...end, failure };
    const status = end.status === "succeeded" && failure !== undefined ? "failed" : end.status;
    this.#journey.finish({ ...told, status }, this.#candidate.entry);
  }
}

/** @throws `GatewayError`: `budget_exceeded`, `rate_limited`, `invalid_request` for a header that cannot be read */
export function beginPass(call: Call, services: Services, pass: ProviderPass): PassJourney {
  const model = modelOf(pass);
  const entry = entryOf(services, pass, model);
  const requestedModel = `${pass.provider.name}/${model ?? pass.endpoint.split("?", 1)[0]}`;
  const request = { ...callFacts(call, services, { entry, requestedModel }), entry };
  try {
    services.accounts.admit(spendFacts(request));
  } catch (error) {
    request.meter?.end();
    throw error;
  }
  const journey = new Journey(journeyFacts(randomId(), request, isStreamed(pass)), services);
  noteJourney(call.response, journey);
  const target = { kind: "provider", provider: pass.provider, model: model ?? entry.id } as const;
  return new PassJourney(journey, { entry, target }, formatOf(pass));
}

function modelOf({ body, endpoint }: ProviderPass): string | undefined {
  const inPath = /models\/([^/:?]+)/.exec(endpoint)?.[1];
  try {
    const { model } = parseJsonObject(body);
    return typeof model === "string" ? model : inPath;
  } catch {
    return inPath;
  }
}

function isStreamed({ body }: ProviderPass): boolean {
  try {
    return parseJsonObject(body)["stream"] === true;
  } catch {
    return false;
  }
}

/** The catalog's entry of what the provider is asked for, whose price counts; else one that says no more than its name. */
function entryOf(services: Services, pass: ProviderPass, model: string | undefined): CatalogEntry {
  const { name } = pass.provider;
  const known = services.catalog
    .list()
    .find(({ upstreams = [] }) =>
      upstreams.some(
        (target) =>
          target.kind === "provider" && target.provider === name && target.model === model,
      ),
    );
  if (known !== undefined) return known;
  return {
    id: `${name}/${model ?? "unknown"}`,
    description: "",
    task: "other",
    inputSchema: {},
    outputSchema: {},
    isStreaming: false,
    requestFormats: [],
    hardware: "",
    version: 1,
    digest: "",
    createdAt: new Date(0).toISOString(),
    upstreams: [{ kind: "provider", provider: name, model: model ?? "unknown" }],
  };
}

/** Which of the shapes that the gateway knows lies at the path. */
function formatOf({ provider, endpoint }: ProviderPass): WireFormat | undefined {
  const path = `/${endpoint.split("?", 1)[0] ?? ""}`.replace(/\/+$/, "");
  const formats = Object.entries(provider.adapter.wirePaths ?? {}) as [WireFormat, string][];
  return formats.find(([, end]) => path.endsWith(end))?.[0];
}
