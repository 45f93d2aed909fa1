import { digestOf } from "../../registry-client/index.ts";
import type { Digest } from "../../registry-client/index.ts";
import type { ImageLayer } from "../image.ts";
import type { Plan } from "../plan/plan.ts";
import type { EngineImage, HistoryEntry } from "./engine-image.ts";

/** Every image config of one content is the same bytes: nothing in it says when it was made. */
const created = "1970-01-01T00:00:00Z";

/** An image config (OCI image-spec 1.1, config.md), serialized once: `id` is the digest of exactly these bytes. */
export interface AssembledConfig {
  readonly bytes: Buffer;
  readonly id: Digest;
  readonly labels: Readonly<Record<string, string>>;
}

/** Lays the plan's settings, the weights and the code over the environment's config. Pure. */
export function assembleImageConfig(options: {
  plan: Plan;
  engineImage: EngineImage;
  history: readonly HistoryEntry[];
  layers: readonly ImageLayer[];
  /** Beside `plan.labels`. */
  labels: Readonly<Record<string, string>>;
}): AssembledConfig {
  const { plan, engineImage, layers } = options;
  const labels = sortKeys({ ...engineImage.labels, ...plan.labels, ...options.labels });
  const config = {
    created,
    architecture: engineImage.architecture,
    ...(engineImage.variant ? { variant: engineImage.variant } : {}),
    os: engineImage.os,
    config: assembleSettings({ plan, engineImage, labels }),
    rootfs: {
      type: "layers",
      diff_ids: [...engineImage.diffIds, ...layers.map(({ source }) => source.descriptor.digest)],
    },
    history: [
      ...renderHistory({ history: options.history, layerCount: engineImage.diffIds.length }),
      ...layers.map(({ createdBy }) => ({ created, created_by: createdBy })),
    ],
  };
  const bytes = Buffer.from(JSON.stringify(config));
  return { bytes, id: digestOf(bytes), labels };
}

function assembleSettings(options: {
  plan: Plan;
  engineImage: EngineImage;
  labels: Readonly<Record<string, string>>;
}): Record<string, unknown> {
  const { plan, engineImage, labels } = options;
  const ports = [...new Set([...engineImage.exposedPorts, `${plan.exposedPort}/tcp`])].toSorted();
  return {
    ...(engineImage.user === "" ? {} : { User: engineImage.user }),
    ExposedPorts: toSet(ports),
    Env: mergeVariables({ inherited: engineImage.variables, own: plan.variables }),
    ...(plan.entrypoint.length === 0 ? {} : { Entrypoint: plan.entrypoint }),
    ...(plan.command.length === 0 ? {} : { Cmd: plan.command }),
    ...(engineImage.volumes.length === 0 ? {} : { Volumes: toSet(engineImage.volumes) }),
    WorkingDir: plan.workingDirectory,
    Labels: labels,
    ...(engineImage.stopSignal ? { StopSignal: engineImage.stopSignal } : {}),
  };
}

/** `NAME=value` in the environment's order, the plan's own ones last and in place of inherited ones. */
function mergeVariables(options: {
  inherited: readonly string[];
  own: Readonly<Record<string, string>>;
}): string[] {
  const own = Object.entries(options.own);
  const names = new Set(own.map(([name]) => name));
  return [
    ...options.inherited.filter((variable) => !names.has(variable.split("=", 1)[0] ?? "")),
    ...own.map(([name, value]) => `${name}=${value}`),
  ];
}

function toSet(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function sortKeys(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Instructions that only change the config; an entry of size 0 with one of them made no layer. */
const configOnly =
  /^(\/bin\/sh -c #\(nop\)\s+)?(ENV|LABEL|CMD|ENTRYPOINT|EXPOSE|USER|ARG|VOLUME|STOPSIGNAL|SHELL|HEALTHCHECK|MAINTAINER|ONBUILD)\b/;

/**
 * The engine's history does not say which entries made a layer, and a config whose history disagrees with its
 * layers is refused by some tools: where our reading does not add up, one plain entry per layer stands instead.
 */
function renderHistory(options: {
  history: readonly HistoryEntry[];
  layerCount: number;
}): Record<string, unknown>[] {
  const entries = options.history.map((entry) => {
    const isEmpty = entry.sizeBytes === 0 && configOnly.test(entry.createdBy);
    return {
      created: new Date(entry.created * 1_000).toISOString(),
      created_by: entry.createdBy,
      ...(entry.comment === "" ? {} : { comment: entry.comment }),
      ...(isEmpty ? { empty_layer: true } : {}),
    };
  });
  const layers = entries.filter((entry) => !("empty_layer" in entry));
  if (layers.length === options.layerCount) return entries;
  return Array.from({ length: options.layerCount }, () => ({
    created,
    created_by: "environment",
  }));
}
