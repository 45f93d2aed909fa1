// Whole, for an interface can be added to only where it is not exported by its name.
export * from "./models.ts";
export { createAI, type AI, type AIOptions } from "./ai.ts";
export { InferenceUpstreamError, StreamExpiredError } from "./errors.ts";
export { readEvents, type StreamEvent } from "./events.ts";
export type { AiAnswer, AiInputs, ModelName, OutputOf, RunOptions } from "./types.ts";
export type { Gateway, GatewayLog, LogPatch, UniversalStep } from "./gateway.ts";
export type { CatalogModel, ModelPage, ModelSchema, ModelSearch } from "./catalog.ts";
export type { AiFile } from "./files.ts";
export type {
  CreatePrediction,
  Prediction,
  PredictionPage,
  PredictionStatus,
} from "./predictions.ts";
export type {
  ChatAnswer,
  ChatInputs,
  ChatMessage,
  EmbeddingAnswer,
  EmbeddingInputs,
  FileAnswer,
  FileInput,
  TextAnswer,
  TranscriptAnswer,
  Usage,
} from "./answers.ts";
