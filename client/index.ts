export { createAI, type AI, type AIOptions } from "./ai.ts";
export { InferenceUpstreamError, StreamExpiredError } from "./errors.ts";
export { readEvents, type StreamEvent } from "./events.ts";
export type { AiAnswer, AiInputs, AiModels, ModelName, OutputOf, RunOptions } from "./types.ts";
export type { Gateway, GatewayLog, LogPatch, UniversalStep } from "./gateway.ts";
export type { CatalogModel, ModelPage, ModelSchema, ModelSearch } from "./catalog.ts";
export type { AiFile } from "./files.ts";
export type {
  CreatePrediction,
  Prediction,
  PredictionPage,
  PredictionStatus,
} from "./predictions.ts";
